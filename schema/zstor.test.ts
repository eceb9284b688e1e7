import { describe, expect, it } from "vitest";
import { zstor } from "./zstor.ts";

const refused = (inputs: Readonly<Record<string, unknown>>) =>
    zstor.refine?.(
        { dataShards: 4, parityShards: 2, redundantGroups: 0, redundantNodes: 0, minParity: 1, ...inputs },
        (name) => name in inputs,
    ) ?? [];
const spread = (backends: number, groups: number) => ({ spread: { backends, groups } });
const urls = (...hosts: readonly string[]) => hosts.map((host, index) => ({ url: `redis://n${index}:password@${host}:9900` }));

describe("what a ZStor asks for", () => {
    it.each([
        ["a backend for each shard", spread(6, 1), undefined],
        ["more shards than backends", spread(5, 5), "dataShards"],
        ["more shards than backends, which are known", { backends: urls("a", "b", "c", "d", "e") }, "dataShards"],
        ["one of three groups, two shards in each", { ...spread(6, 3), redundantGroups: 1 }, undefined],
        ["one of two groups, three shards in each", { ...spread(6, 2), redundantGroups: 1 }, "redundantGroups"],
        ["one of two groups, which are known", { backends: urls("a", "a", "a", "b", "b", "b"), redundantGroups: 1 }, "redundantGroups"],
        ["two of six groups", { ...spread(6, 6), redundantGroups: 2 }, undefined],
        ["two of five groups", { ...spread(6, 5), redundantGroups: 2 }, "redundantGroups"],
        ["all groups there are", { ...spread(9, 2), redundantGroups: 2, parityShards: 5 }, "redundantGroups"],
        ["one backend in each of two groups", { ...spread(6, 2), redundantNodes: 1 }, undefined],
        // Spread over fewer groups it holds.
        ["one backend in each of six groups", { ...spread(6, 6), redundantNodes: 1 }, undefined],
        ["more parity than there is", { ...spread(6, 6), minParity: 3 }, "minParity"],
        ["more shards than a stripe can have", { dataShards: 60, parityShards: 5 }, "parityShards"],
        ["what is not known yet", { dataShards: undefined }, undefined],
        ["backends that are not known at all", { redundantGroups: 5 }, undefined],
    ])("%s", (_, inputs, property) => expect(refused(inputs)[0]?.property).toBe(property));

    it("is refused in words that say how to go on", () => {
        expect(refused({ ...spread(6, 2), redundantGroups: 1 })[0]?.reason).toBe(
            "a loss of 1 groups and of 0 backends in each other group takes at least 3 of 6 shards, and parityShards is 2: the backends are in 2 groups; spread them over more, or raise parityShards",
        );
        expect(refused(spread(5, 5))[0]?.reason).toContain("need 6 backends, one for each shard, and there are 5");
    });

    it.each(["no url", "http://a:b@c", "redis://:password@host", "redis://host", "redis://a:100%@host"])(
        "takes %s for no namespace, and shows none of it",
        (url) => {
            const [issue] = zstor.inputs.backends.schema.safeParse([{ url }, { url: "redis://a:b@c" }]).error?.issues ?? [];
            expect(issue?.message).toMatch(/^write backends as a list/);
            expect(zstor.inputs.metadata.schema.safeParse([url]).error?.issues[0]?.message).toMatch(/^write metadata as a list/);
        },
    );

    it.each([
        ["the same url", "redis://a:b@c", true],
        ["another password", "redis://a:other@c", true],
        ["the default port", "redis://a:b@c:9900", true],
        ["TLS", "rediss://a:b@c", true],
        ["a host in capitals", "redis://a:b@C", true],
        ["a letter written as %XX", "redis://%61:b@c", true],
        ["another port", "redis://a:b@c:9901", false],
        ["another namespace", "redis://b:b@c", false],
        ["another host", "redis://a:b@d", false],
    ])("names each namespace once: %s", (_, url, isSame) => {
        const { metadata, backends } = zstor.inputs;
        const there = "redis://a:b@c";
        const messages = [metadata.schema.safeParse([there, url]), backends.schema.safeParse([{ url: there }, { url }])].map(
            ({ error }) => error?.issues[0]?.message,
        );
        if (!isSame) return expect(messages).toEqual([undefined, undefined]);
        expect(messages[0]).toMatch(/^each metadata namespace is named once: urls that differ only in password/);
        expect(messages[1]).toMatch(/^each backend is named once: /);
    });

    it("takes a namespace for shards or for metadata, and names both inputs", () => {
        const beside = (metadata: string) =>
            refused({ ...spread(6, 6), backends: urls("a", "b", "c", "d", "e", "f"), metadata: [metadata] });
        expect(beside("redis://meta:password@a:9900")).toEqual([]);
        const [failure] = beside("rediss://n0:other@a");
        expect(failure?.reason).toMatch(/^1 of the namespaces in backends are in metadata as well/);
        expect(failure?.reason).not.toContain("other");
    });
});
