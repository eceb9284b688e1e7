import { describe, expect, it } from "vitest";
import { type Kind, primitiveOf, primitives } from "../../schema/index.ts";
import { type Difference, diff } from "./diff.ts";
import { givenIn } from "./outputs.ts";
import { checked, machine, nodeId, resourceId, tenant } from "./sample.ts";
import { GIVEN, type Properties, UNFINISHED, UNKNOWN } from "./values.ts";

const kinds = Object.keys(primitives) as Kind[];

/** Another value than the sample's, for every input there is. A new input without one fails here. */
const other: Record<Kind, Properties> = {
    Node: {
        host: "10.0.0.12",
        port: 2222,
        user: "admin",
        hostKey: "ssh-ed25519 BBBB",
        identityFile: "/root/.ssh/other",
        privateKey: "a key",
        passphrase: "its passphrase",
        via: [{ host: "bastion" }],
        sudo: true,
        onUnreachable: "abandon",
        installPackages: false,
        trash: "2d",
        timeouts: { create: "1m" },
        machine: "instance-2",
        agentVersion: "9.9.9",
    },
    ZMount: {
        node: `${machine}/${tenant}x`,
        nodeMachine: "instance-2",
        connection: { host: "10.0.0.12" },
        nodeUrn: "urn:pulumi:other",
        timeouts: { update: "1m" },
        size: "30GiB",
        device: "/dev/sdb",
        filesystem: "xfs",
        pool: "/elsewhere",
        onRemove: "keep",
        replaceData: true,
    },
    Zdb: {
        node: `${machine}/${tenant}x`,
        nodeMachine: "instance-2",
        connection: { host: "10.0.0.12" },
        nodeUrn: "urn:pulumi:other",
        timeouts: { delete: "1m" },
        mount: `${resourceId}x`,
        size: "6GiB",
        oversubscribe: true,
        mode: "seq",
        password: "another-password",
        public: true,
        worm: true,
        access: "locked",
        durability: "commit",
        history: "count 3",
        hook: "/usr/local/bin/told",
        tls: { certificate: "a certificate", privateKey: "its key" },
        listen: "10.0.0.11",
        limits: { cpu: 2 },
        port: 9902,
        onRemove: "keep",
        replaceData: true,
    },
    ZStor: {
        node: `${machine}/${tenant}x`,
        nodeMachine: "instance-2",
        connection: { host: "10.0.0.12" },
        nodeUrn: "urn:pulumi:other",
        timeouts: { delete: "1m" },
        backends: [1, 2, 3, 4, 5, 7].map((index) => ({ url: `redis://data:given-password@10.0.0.${index}:9900` })),
        metadata: ["redis://meta:another-password@10.0.0.1:9900"],
        dataShards: 3,
        parityShards: 3,
        redundantGroups: 1,
        redundantNodes: 1,
        minParity: 2,
        compression: false,
        secret: "another secret of somebody",
        scrub: "7d",
        deadAfter: "1h",
        cache: `${machine}/${tenant}/other`,
        cacheSize: "2GiB",
        spread: { backends: 7, groups: 7 },
    },
};

const outputs = (kind: Kind, more: Properties = {}): Properties => {
    const inputs = checked(kind);
    return { ...inputs, [GIVEN]: givenIn(kind, inputs), ...more };
};

/** A difference that the engine finds by itself: nothing is replaced, and nothing is said about whether anything changes. */
const found: Difference = { replaces: [], deleteBeforeReplace: false };

const every = kinds.flatMap((kind) => Object.keys(primitives[kind].inputs).map((field) => [kind, field] as const));

describe("the rule of every input", () => {
    it.each(every)("%s.%s, changed", (kind, field) => {
        expect(other[kind], `a value to change ${kind}.${field} to`).toHaveProperty(field);
        const allowed = primitiveOf(kind).bearsData ? { replaceData: true } : {};
        const difference = diff(kind, outputs(kind), { ...checked(kind), ...allowed, [field]: other[kind][field] });
        const { rule } = primitiveOf(kind).inputs[field]?.change ?? {};
        expect(difference.replaces).toEqual(rule === "replace" ? [field] : []);
        expect(difference.changes).toBeUndefined();
    });

    it.each(every)("%s.%s, unknown", (kind, field) => {
        const allowed = primitiveOf(kind).bearsData && field !== "replaceData" ? { replaceData: true } : {};
        const olds = outputs(kind, allowed);
        const difference = diff(kind, olds, { ...checked(kind), ...allowed, [field]: UNKNOWN });
        const { rule } = primitiveOf(kind).inputs[field]?.change ?? {};
        expect(difference.replaces).toEqual(rule === "replace" ? [field] : []);
        expect(difference.changes).toBe(rule === "client" ? false : undefined);
    });

    it.each(kinds)("%s, unchanged, is left to the engine", (kind) => {
        expect(diff(kind, outputs(kind), checked(kind))).toEqual(found);
    });
});

describe("what is no change", () => {
    it("only when nothing else differs is an unknown client field none", () => {
        const unknown = { connection: { ...(checked("ZMount").connection as Properties), hostKey: UNKNOWN } };
        const judge = (olds: Properties, more: Properties) =>
            diff("ZMount", outputs("ZMount", olds), { ...checked("ZMount"), ...unknown, ...more });
        expect(judge({}, {}).changes).toBe(false);
        expect(judge({}, { size: "30GiB" }).changes).toBeUndefined();
        expect(judge({}, { onRemove: "keep" }).changes).toBeUndefined();
        expect(judge({}, { __urn: "urn:renamed" }).changes).toBeUndefined();
        expect(judge({ [UNFINISHED]: "not mounted" }, {}).changes).toBeUndefined();
    });

    it("a connection that is unknown in part, where what is known of it is as it was", () => {
        const connection = { host: "10.0.0.11", hostKey: "ssh-ed25519 AAAA", trash: "3d" };
        const judge = (now: Properties) =>
            diff("ZMount", outputs("ZMount", { connection }), { ...checked("ZMount"), connection: now }).changes;
        const known: Properties = { ...connection, hostKey: UNKNOWN };
        expect(judge(known)).toBe(false);
        expect(judge({ ...known, trash: "2d" })).toBeUndefined();
        const { trash: _, ...less } = known;
        expect(judge(less)).toBeUndefined();
    });

    it("a generated value that the program does not give", () => {
        const { password: _, port: __, ...news } = checked("Zdb");
        const olds = { ...outputs("Zdb"), [GIVEN]: givenIn("Zdb", news) };
        expect(diff("Zdb", olds, { ...news, connection: UNKNOWN }).changes).toBe(false);
        // It was the program's before: that it no longer is has to reach the state.
        expect(diff("Zdb", outputs("Zdb"), { ...news, connection: UNKNOWN }).changes).toBeUndefined();
    });

    it("a default that came with a later release", () => {
        const { filesystem: _, ...older } = outputs("ZMount");
        expect(diff("ZMount", older, checked("ZMount"))).toEqual({ ...found, changes: false });
        expect(diff("ZMount", older, { ...checked("ZMount"), size: "30GiB" })).toEqual(found);
        expect(diff("ZMount", { ...older, [UNFINISHED]: "not mounted" }, checked("ZMount"))).toEqual(found);
    });
});

describe("a replacement of what bears data", () => {
    const refusal = (kind: Kind, more: Properties): string => {
        try {
            diff(kind, outputs(kind), { ...checked(kind), ...more });
        } catch (error) {
            return error instanceof Error && "sentence" in error && typeof error.sentence === "function" ? error.sentence() : "";
        }
        throw new Error("it was not refused");
    };

    it("is refused with the field, the reason and both ways out", () => {
        expect(refusal("ZMount", { filesystem: "xfs" })).toBe(
            'ZMount "disk": a change of filesystem (a file system is not converted in place) makes a new ZMount without the data of the old one. ' +
                'Set replaceData: true if that is meant, or put filesystem back to "ext4".',
        );
        expect(refusal("Zdb", { mode: "seq", mount: UNKNOWN })).toBe(
            'Zdb "events": a change of mount (data is not moved between mounts) and mode (keys of one mode mean nothing in the other) ' +
                "makes a new Zdb without the data of the old one. Set replaceData: true if that is meant, or keep the resource given as mount, " +
                'which is made anew here and put mode back to "user".',
        );
    });

    it("reads replaceData from the new inputs", () => {
        const allowing = outputs("ZMount", { replaceData: true });
        expect(() => diff("ZMount", allowing, { ...checked("ZMount"), filesystem: "xfs" })).toThrow(/without the data/);
        expect(diff("ZMount", outputs("ZMount"), { ...checked("ZMount"), filesystem: "xfs", replaceData: true }).replaces).toEqual([
            "filesystem",
        ]);
    });

    it("is not fooled by another Node with a machine of its own", () => {
        const news = { ...checked("ZMount"), node: "other", nodeMachine: "instance-2", nodeUrn: "urn:other" };
        expect(() => diff("ZMount", outputs("ZMount"), news)).toThrow(/without the data of the old one/);
    });

    it.each([["instance-2"], [UNKNOWN], [undefined]])("follows a Node whose machine becomes %s", (nodeMachine) => {
        const news = { ...checked("ZMount"), node: UNKNOWN, nodeMachine };
        expect(diff("ZMount", outputs("ZMount"), news).replaces).toEqual(["node", "nodeMachine"]);
    });

    it("deletes first what holds something that no second life can hold", () => {
        const { port: _, ...unpinned } = checked("Zdb", { mode: "seq", replaceData: true });
        expect(diff("Zdb", outputs("Zdb"), unpinned).deleteBeforeReplace).toBe(false);
        expect(diff("Zdb", outputs("Zdb"), { ...unpinned, port: 9901 }).deleteBeforeReplace).toBe(true);
    });

    it("does not shrink to a throw: refresh calls diff with new outputs and old inputs", () => {
        expect(diff("ZMount", outputs("ZMount", { size: "30GiB" }), checked("ZMount"))).toEqual(found);
    });

    it("leaves a Node, which bears no data, to its replacement", () => {
        expect(diff("Node", outputs("Node"), checked("Node", { machine: "instance-2" })).replaces).toEqual(["machine"]);
        expect(nodeId).toContain(machine);
    });
});
