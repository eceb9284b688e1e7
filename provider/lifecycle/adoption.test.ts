import { describe, expect, it } from "vitest";
import type { DisclosedLife, Disclosure } from "../../protocol/api.ts";
import { mintLife } from "../../protocol/ids.ts";
import { type Adoption, adopt } from "./adoption.ts";
import { diff } from "./diff.ts";
import { fakeMachine, fakeSurroundings, nodeReport, report } from "./fake-surroundings.ts";
import { checked, life, machine, nodeId, resourceId, tenant, urnOf } from "./sample.ts";
import { type Properties, UNKNOWN } from "./values.ts";

const HOST = "10.0.0.11";
const [mount, db] = [life, mintLife()];
const spec = { node: nodeId, nodeMachine: "instance-1" };
const lives: readonly DisclosedLife[] = [
    {
        life: mount,
        kind: "ZMount",
        urn: urnOf("ZMount", "disk"),
        name: "disk",
        spec: { ...spec, size: "20GiB", filesystem: "ext4", pool: "/srv/pool" },
        generated: [],
        uses: {},
        confirmed: true,
        createdAt: 0,
    },
    {
        life: db,
        kind: "Zdb",
        urn: urnOf("Zdb", "events"),
        name: "events",
        spec: {
            ...spec,
            mount: resourceId,
            size: "5GiB",
            mode: "user",
            public: false,
            listen: "127.0.0.1",
            password: "secret-password",
            port: 9901,
        },
        generated: [],
        uses: { mount },
        confirmed: true,
        createdAt: 1,
    },
];
const disclosure = (more: readonly DisclosedLife[] = lives): Disclosure => ({
    tenant: { tenant, urn: urnOf("Node", "alpha"), confirmed: true, deleted: false, createdAt: 0, settings: { installPackages: false } },
    lives: more,
    kept: [],
});

/** The program's own view in the preview of an empty stack: what only the node knows is not known. */
const previewed = (program: Record<string, Properties>) => (urn: string) =>
    program[urn] && {
        ...program[urn],
        node: UNKNOWN,
        mount: UNKNOWN,
        connection: { ...(program[urn]?.connection as object), hostKey: UNKNOWN },
    };

const adopted = (planned: Adoption["planned"], found = disclosure()) => {
    const { surroundings, calls } = fakeSurroundings({
        [HOST]: fakeMachine({
            "node.read": () => ({ found: true, ...nodeReport }),
            "resource.read": ({ life: of }) => {
                const { password: _, ...open } = found.lives.find((each) => each.life === of)?.spec ?? {};
                const outputs = of === db ? { namespace: "events-x" } : { path: "/m" };
                return { ...report({ life: of, spec: open, outputs }), found: true, differingSecrets: [] };
            },
        }),
    });
    return {
        resources: adopt(surroundings, {
            machine,
            disclosure: found,
            reach: { host: HOST, identityFile: "/key", onUnreachable: "fail", trash: "1d", installPackages: true },
            planned,
        }),
        calls,
    };
};

describe("what is adopted for a program", () => {
    const { password: _, port: __, ...made } = checked("Zdb");
    const given = {
        [urnOf("Node", "alpha")]: checked("Node", { trash: "2d" }),
        [urnOf("ZMount", "disk")]: checked("ZMount", { onRemove: "keep" }),
    };

    it.each([
        ["given", { ...checked("Zdb"), password: "[secret]" }, { password: "secret-password", port: 9901 }],
        ["made by the node", made, {}],
    ])("has inputs as the program gives them, and a password that was %s", async (_what, zdb, expected) => {
        const { resources } = adopted(previewed({ ...given, [urnOf("Zdb", "events")]: zdb }));
        const [node, disk, events] = await resources;
        expect(node).toMatchObject({ id: nodeId, inputs: { host: HOST, trash: "2d", machine: "instance-1" } });
        expect(node?.inputs).not.toHaveProperty("hostKey");
        expect(disk).toMatchObject({
            id: resourceId,
            inputs: { onRemove: "keep", size: "20GiB", connection: { hostKey: "ssh-ed25519 AAAA", trash: "2d" } },
        });
        const { password, port } = events?.inputs ?? {};
        expect({ password, port }).toEqual({ password: undefined, port: undefined, ...expected });
        expect(events?.outputs).toMatchObject({
            password: "secret-password",
            port: 9901,
            host: "127.0.0.1",
        });
        expect(events?.outputs).not.toHaveProperty("url");
        // The very question that a preview asks.
        for (const each of [node, disk, events]) {
            if (!each) throw new Error("it was adopted");
            expect(diff(each.kind, each.outputs, each.inputs)).toEqual({ replaces: [], deleteBeforeReplace: false });
        }
    });

    it("never takes what a preview shows of a secret for the secret", async () => {
        const via = [{ host: "jump", privateKey: "[secret]" }];
        const node = { ...checked("Node"), privateKey: "[secret]", via };
        const [alpha, disk] = await adopted(previewed({ ...given, [urnOf("Node", "alpha")]: node })).resources;
        for (const each of [alpha, disk]) expect(JSON.stringify(each)).not.toContain("[secret]");
        expect(alpha?.inputs).not.toHaveProperty("identityFile");
    });

    it("is what is real where the program says otherwise", async () => {
        const { resources } = adopted(
            previewed({ ...given, [urnOf("ZMount", "disk")]: checked("ZMount", { size: "30GiB", pool: undefined }) }),
        );
        expect((await resources)[1]?.inputs).toMatchObject({ size: "20GiB", pool: "/srv/pool" });
    });
});

describe("what is adopted without a program", () => {
    it("says how it was reached, and leaves out what the node made", async () => {
        const [disk, events] = lives as [DisclosedLife, DisclosedLife];
        const { resources } = adopted(() => undefined, disclosure([disk, { ...events, generated: ["password"] }]));
        const [node, , zdb] = await resources;
        expect(node?.inputs).toMatchObject({ host: HOST, installPackages: false, machine: "instance-1" });
        expect(zdb?.inputs).toMatchObject({ port: 9901, size: "5GiB" });
        expect(zdb?.inputs).not.toHaveProperty("mode");
        expect(zdb?.inputs).not.toHaveProperty("password");
        expect(zdb?.references).toEqual({ node: urnOf("Node", "alpha"), mount: urnOf("ZMount", "disk") });
    });

    it("is nothing that the engine may never have known", async () => {
        const [disk, events] = lives as [DisclosedLife, DisclosedLife];
        const { resources, calls } = adopted(() => undefined, disclosure([disk, { ...events, confirmed: false }]));
        expect((await resources).map(({ kind }) => kind)).toEqual(["Node", "ZMount"]);
        expect(calls.map(({ method }) => method)).toEqual(["node.read", "resource.read"]);
    });
});
