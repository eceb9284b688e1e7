import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { ResourceStatus } from "../../protocol/api.ts";
import { compareVersions } from "../../protocol/version.ts";
import { Bench } from "../../test/agent/fakes/bench.ts";
import { FakeNode } from "../../test/agent/fakes/fake-node.ts";
import { releases, restoreStore } from "../../test/fixtures/releases/releases.ts";
import { validSpec } from "../api/validate.ts";
import { readMachine } from "./machine-file.ts";

/** What was so when the files were written and is so for ever. */
const lasting = ({ life, kind, urn, tenant, name, createdAt }: ResourceStatus) => ({
    life,
    kind,
    urn,
    tenant,
    name,
    createdAt,
});

const byAge = (one: { readonly createdAt: unknown }, other: { readonly createdAt: unknown }) =>
    Number(one.createdAt) - Number(other.createdAt);

const hmacOf = (text: string) => {
    const key = Buffer.from("0123456789abcdef");
    return { key: key.toString("base64"), hmac: createHmac("sha256", key).update(text).digest("base64") };
};

describe.each(releases)("the store that release $version left", (release) => {
    const booted = () => {
        using files = restoreStore(release);
        const fingerprint = readMachine(`${files.path}/machine.json`);
        const node = new FakeNode();
        for (const { kind, life } of release.status.resources) if (kind !== "Node") node.pieces.set(life, { kind, spec: {}, data: "" });
        return new Bench({ directory: files.path, node: node.copy() }, fingerprint);
    };

    it("opens, with everything that was in it", async () => {
        await using bench = booted();
        const { welcome, tenants, resources, trash } = await bench.observer().ask("status", {});
        expect(welcome).toMatchObject({ store: "ok", machine: readMachine(`${release.directory}/machine.json`)?.machine });
        expect(tenants).toEqual(release.status.tenants.map((tenant) => expect.objectContaining(tenant)));
        expect(resources.map(lasting).toSorted(byAge)).toEqual(release.status.resources.map(lasting).toSorted(byAge));
        expect(resources.filter(({ state }) => state === "kept").map(({ name }) => name)).toEqual(["left"]);
        const place = ({ life, name, removedAt }: (typeof trash)[number]) => ({ life, name, removedAt });
        expect(trash.map(place)).toEqual(release.status.trash.map(place));
        const left = trash.map(({ purgeAt }) => purgeAt - bench.clock.now());
        const whole = release.status.trash.map(({ removedAt, purgeAt }) => purgeAt - removedAt);
        // What release 0.2.0 and older knew of it is a time on the wall: all of it begins anew. Later ones kept how long their machine had run.
        if (compareVersions(release.version, "0.3.0") < 0) expect(left).toEqual(whole);
        for (const [index, ms] of left.entries()) {
            expect(ms).toBeLessThanOrEqual(whole[index] ?? 0);
            expect(ms).toBeGreaterThan((whole[index] ?? 0) - 60_000);
        }
    });

    it("has specs that are complete by today's schema, secrets included", async () => {
        await using bench = booted();
        for (const { kind, spec } of bench.store.lives.all()) expect(validSpec(kind, spec)).toEqual(spec);
        const session = bench.session();
        const events = release.status.resources.find(({ name }) => name === "events");
        if (!events) throw new Error("the release had no events");
        session.tenant = events.tenant;
        const proof = { password: hmacOf("a-given-password") };
        expect(await session.read(events.life, proof)).toMatchObject({ found: true, differingSecrets: [] });
        expect(await session.read(events.life, { password: hmacOf("another") })).toMatchObject({ differingSecrets: ["password"] });
    });
});
