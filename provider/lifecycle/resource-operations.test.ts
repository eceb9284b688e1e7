import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Digest } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { mintLife, mintTenantId } from "../../protocol/ids.ts";
import { anotherMachine, fakeMachine, fakeSurroundings, report } from "./fake-surroundings.ts";
import { lifecycle } from "./lifecycle.ts";
import { checked, life, machine, nodeId, resourceId, tenant, urnOf, written } from "./sample.ts";
import type { Properties } from "./values.ts";

const HOST = "10.0.0.11";
const busy = () => new ZeroformError({ code: "BUSY", message: "another operation is under way", retryable: true });

const unpinned = (more: Properties = {}): Properties => {
    const { port: _, password: __, ...inputs } = checked("Zdb", more);
    return inputs;
};
const made = (more: Parameters<typeof report>[0] = {}) =>
    report({ spec: { port: 9900, size: "5GiB" }, generatedSecrets: { password: "made-on-node" }, outputs: { namespace: "n1" }, ...more });

const setUp = (answers: Parameters<typeof fakeMachine>[0]) => {
    const around = fakeSurroundings({ [HOST]: fakeMachine(answers) });
    return { ...around, zdb: lifecycle("Zdb", around.surroundings), zmount: lifecycle("ZMount", around.surroundings) };
};

describe("create", () => {
    it("asks the agent for desired state only, as this tenant of this machine", async () => {
        const { zmount, calls } = setUp({ "resource.create": () => report({ outputs: { path: "/m" } }) });
        const { id, outputs, reasons } = await zmount.create(checked("ZMount"));
        expect(id).toBe(resourceId);
        expect(reasons).toEqual([]);
        expect(calls[0]?.params).toMatchObject({
            caller: { machine, tenant, seen: [] },
            kind: "ZMount",
            urn: urnOf("ZMount", "disk"),
            name: "disk",
            spec: { node: nodeId, nodeMachine: "instance-1", size: "20GiB", filesystem: "ext4", pool: "/srv/pool" },
            trashMs: 86_400_000,
            settings: { installPackages: true },
        });
        expect(Object.keys((calls[0]?.params.spec as object) ?? {}).sort()).toEqual(["filesystem", "node", "nodeMachine", "pool", "size"]);
        expect(outputs).toMatchObject({ ...checked("ZMount"), path: "/m" });
    });

    it("shows on its line what somebody should know, when it is made and when it is changed", async () => {
        const told = () => made({ notes: ["this machine does not keep limits.memory"] });
        const { zdb, warned } = setUp({ "resource.create": told, "resource.update": told });
        const { outputs, reasons } = await zdb.create(unpinned());
        expect(reasons).toEqual([]);
        expect(warned).toEqual(["this machine does not keep limits.memory."]);
        await zdb.update(resourceId, outputs, { ...outputs, size: "6GiB" });
        expect(warned).toHaveLength(2);
    });

    it("leaves the agent time to say what is unfinished before the deadline", async () => {
        const { zmount, calls } = setUp({ "resource.create": () => report() });
        await zmount.create(checked("ZMount", { timeouts: { create: "1m" } }));
        expect(calls[0]?.params.waitMs).toBe(57_000);
    });

    it("is one operation over its retries, and another one the next time", async () => {
        const answers = [busy(), busy()];
        const { zmount, calls, said } = setUp({
            "resource.create": () => {
                const error = answers.shift();
                if (error) throw error;
                return report();
            },
        });
        await zmount.create(checked("ZMount"));
        await zmount.create(checked("ZMount"));
        const operations = calls.map(({ params }) => params.operation);
        expect(operations).toHaveLength(4);
        expect(new Set(operations.slice(0, 3)).size).toBe(1);
        expect(operations[3]).not.toBe(operations[0]);
        expect(said).toContain("another operation is under way; trying again");
    });

    it("fills in what the node generated, computes what depends on it, and lists what of it was given", async () => {
        const { zdb } = setUp({ "resource.create": () => made() });
        const { outputs } = await zdb.create(unpinned());
        expect(outputs).toMatchObject({
            port: 9900,
            password: "made-on-node",
            namespace: "n1",
            host: "127.0.0.1",
        });
        expect(outputs.__given).toEqual([]);
        const { outputs: pinned } = await zdb.create(checked("Zdb"));
        expect(pinned.__given).toEqual(["password", "port"]);
    });

    it("shows the node's address where it listens on all of them", async () => {
        const { zdb } = setUp({ "resource.create": () => made() });
        expect((await zdb.create(unpinned({ listen: "0.0.0.0" }))).outputs.host).toBe(HOST);
        expect((await zdb.create(unpinned({ listen: "fd00::1" }))).outputs.host).toBe("fd00::1");
    });

    it("keeps what exists but is not ready, with its reasons", async () => {
        const { zdb } = setUp({ "resource.create": () => made({ state: "unfinished", reasons: ["port 9900 is taken"], outputs: {} }) });
        const { id, outputs, reasons } = await zdb.create(unpinned());
        expect(id).toBe(resourceId);
        expect(reasons).toEqual(["port 9900 is taken"]);
        expect(outputs).toMatchObject({ password: "made-on-node", __unfinished: "port 9900 is taken" });
        expect(outputs).not.toHaveProperty("host");
    });

    it("is refused without a node, and on another machine", async () => {
        const { zmount } = setUp({});
        await expect(zmount.create(checked("ZMount", { node: "nowhere" }))).rejects.toMatchObject({ code: "INVALID" });
        const around = fakeSurroundings({ [HOST]: fakeMachine({}, anotherMachine) });
        await expect(lifecycle("ZMount", around.surroundings).create(checked("ZMount"))).rejects.toMatchObject({ code: "MACHINE_CHANGED" });
        expect(around.calls).toEqual([]);
    });

    it("says what to put back where the agent has lost its identity, and does not call it another machine", async () => {
        const lost = fakeMachine({}, anotherMachine);
        const welcome = { ...lost.welcome, store: "lost", storeReason: "store.db is missing" } as const;
        const around = fakeSurroundings({ [HOST]: { ...lost, welcome } });
        await expect(lifecycle("ZMount", around.surroundings).create(checked("ZMount"))).rejects.toMatchObject({
            code: "MACHINE_CHANGED",
            message: "the agent on 10.0.0.11 does not know which machine it is: store.db is missing",
            hint: expect.stringContaining("Put back machine.json"),
        });
        expect(around.calls).toEqual([]);
    });
});

describe("what was generated and opens what outlives its life", () => {
    const reported = () => report({ outputs: { socket: "/run/api.sock" } });
    const { secret: _, ...ungiven } = checked("ZStor");
    const elsewhere = (more: Properties = {}) => ({ ...ungiven, nodeMachine: "instance-2", ...more });

    it("goes over to the life that replaces it, where the engine asked what changes, and is still no input of the program", async () => {
        const { surroundings, calls } = setUp({ "resource.create": reported });
        const zstor = lifecycle("ZStor", surroundings);
        const olds = { ...ungiven, secret: "made on the node", socket: "/run/old.sock", __given: [] };
        expect(zstor.diff(resourceId, olds, elsewhere()).replaces).toEqual(["nodeMachine"]);
        const { outputs } = await zstor.create(elsewhere());
        expect(calls[0]?.params.spec).toMatchObject({ secret: "made on the node" });
        expect(outputs).toMatchObject({ secret: "made on the node", socket: "/run/api.sock", __given: [] });
    });

    it("gives way to what the program gives, and goes to no other resource", async () => {
        const { surroundings, calls } = setUp({ "resource.create": reported });
        const zstor = lifecycle("ZStor", surroundings);
        const olds = { ...ungiven, secret: "made on the node", __given: [] };
        zstor.diff(resourceId, olds, elsewhere({ secret: "given by the program" }));
        await zstor.create(elsewhere({ secret: "given by the program" }));
        zstor.diff(resourceId, olds, elsewhere());
        await zstor.create(elsewhere({ __urn: urnOf("ZStor", "other") }));
        expect(calls.map(({ params }) => (params.spec as Properties).secret)).toEqual(["given by the program", undefined]);
    });
});

describe("update", () => {
    const olds = { ...checked("ZMount"), path: "/m", __given: Object.keys(checked("ZMount")), __provider: "text" };

    it("sends the new desired state and mirrors what is real", async () => {
        const { zmount, calls } = setUp({ "resource.update": () => report({ spec: { size: 27 * 2 ** 30 }, outputs: { path: "/m" } }) });
        const { outputs } = await zmount.update(resourceId, olds, checked("ZMount", { size: "30GiB" }));
        expect(calls[0]?.params).toMatchObject({ caller: { machine, tenant }, life, spec: { size: "30GiB" } });
        expect(outputs.size).toBe("27GiB");
    });

    it.each<[string, Properties]>([
        ["onRemove", { onRemove: "keep" }],
        ["replaceData", { replaceData: true }],
        ["timeouts", { timeouts: { update: "1m" } }],
        ["connection", { connection: { host: "10.0.0.12" } }],
    ])("rewrites the state without any contact when only %s differs", async (_, more) => {
        const { zmount, links } = setUp({});
        const news = checked("ZMount", more);
        const { outputs } = await zmount.update(resourceId, olds, news);
        expect(outputs).toMatchObject({ ...news, path: "/m" });
        expect(links).toEqual([]);
    });

    it("computes anew what depends on the address", async () => {
        const { zdb, links } = setUp({});
        const before = { ...unpinned({ listen: "0.0.0.0" }), port: 9900, password: "pw", namespace: "n1", host: HOST };
        const news = { ...unpinned({ listen: "0.0.0.0" }), connection: { host: "10.0.0.12", trash: "1d" } };
        const { outputs } = await zdb.update(resourceId, { ...before, __given: Object.keys(unpinned()) }, news);
        expect(outputs).toMatchObject({ host: "10.0.0.12" });
        expect(links).toEqual([]);
    });

    it("contacts the node all the same when it was left unfinished, and when nothing differs", async () => {
        const { zmount, calls } = setUp({ "resource.update": () => report() });
        const { outputs } = await zmount.update(
            resourceId,
            { ...olds, __unfinished: "not mounted" },
            checked("ZMount", { onRemove: "keep" }),
        );
        expect(outputs).not.toHaveProperty("__unfinished");
        await zmount.update(resourceId, olds, checked("ZMount"));
        expect(calls).toHaveLength(2);
    });

    it("keeps a generated value that the program does not give any more", async () => {
        const { zdb, calls } = setUp({ "resource.update": () => made({ generatedSecrets: {} }) });
        const before = { ...checked("Zdb"), namespace: "n1", __given: Object.keys(checked("Zdb")) };
        const { outputs } = await zdb.update(resourceId, before, { ...unpinned(), size: "6GiB" });
        expect(calls[0]?.params.spec).toMatchObject({ password: "given-password", port: 9901 });
        expect(outputs.password).toBe("given-password");
        expect(outputs.__given).not.toContain("password");
    });

    it("is an outcome with reasons when it fails half-way", async () => {
        const { zmount } = setUp({
            "resource.update": () => report({ state: "unfinished", spec: { size: "25GiB" }, reasons: ["no room"] }),
        });
        const { outputs, reasons } = await zmount.update(resourceId, olds, checked("ZMount", { size: "30GiB" }));
        expect(reasons).toEqual(["no room"]);
        expect(outputs).toMatchObject({ size: "25GiB", __unfinished: "no room" });
    });
});

describe("read", () => {
    const outputs = (): Properties => ({
        ...unpinned(),
        port: 9900,
        password: "made-on-node",
        namespace: "n1",
        __given: Object.keys(unpinned()).filter((field) => field !== "__urn"),
        __provider: "text",
    });
    const found = (more: object = {}) => {
        const { generatedSecrets: _, ...rest } = made();
        return { ...rest, found: true as const, differingSecrets: [], ...more };
    };

    it("answers as inputs exactly what the program gave", async () => {
        const { zdb } = setUp({ "resource.read": () => found() });
        const reading = await zdb.read(resourceId, outputs());
        if (!reading.found) throw new Error("it was found");
        expect(reading.inputs).toEqual(unpinned());
        expect(reading.outputs).toMatchObject({ password: "made-on-node", port: 9900 });
    });

    it("shows the real size as an input", async () => {
        const { zdb } = setUp({ "resource.read": () => found({ spec: { size: "4GiB" } }) });
        expect(await zdb.read(resourceId, outputs())).toMatchObject({ inputs: { size: "4GiB" }, outputs: { size: "4GiB" } });
    });

    it("proves secrets under a key of this one call, and sends none", async () => {
        const { zdb, calls } = setUp({ "resource.read": () => found() });
        await zdb.read(resourceId, outputs());
        await zdb.read(resourceId, outputs());
        const [first, second] = calls.map(({ params }) => (params.digests as Record<string, Digest>).password);
        const proof = createHmac("sha256", Buffer.from(first?.key ?? "", "base64"))
            .update("made-on-node")
            .digest("base64");
        expect(first?.hmac).toBe(proof);
        expect(second?.key).not.toBe(first?.key);
        expect(JSON.stringify(calls)).not.toContain("made-on-node");
    });

    it("marks what is not ready, or has another secret, as unfinished, with no secret in the reason", async () => {
        const { zdb } = setUp({
            "resource.read": () => found({ state: "unfinished", reasons: ["server down"], differingSecrets: ["password"] }),
        });
        const reading = await zdb.read(resourceId, outputs());
        const reason = "server down; password is not the one that was set";
        expect(reading).toMatchObject({ inputs: { __unfinished: reason }, outputs: { __unfinished: reason } });
    });

    it("clears the mark when it is ready again", async () => {
        const { zdb } = setUp({ "resource.read": () => found() });
        const reading = await zdb.read(resourceId, { ...outputs(), __unfinished: "server down" });
        expect(reading).not.toHaveProperty("inputs.__unfinished");
        expect(reading).not.toHaveProperty("outputs.__unfinished");
    });

    it("is absent only when the agent says so", async () => {
        const { zdb } = setUp({ "resource.read": () => ({ found: false }) });
        expect(await zdb.read(resourceId, outputs())).toEqual({ found: false });

        const unknown = setUp({
            "resource.read": () => {
                throw new ZeroformError({ code: "TENANT_UNKNOWN", message: "no such owner" });
            },
        });
        await expect(unknown.zdb.read(resourceId, outputs())).rejects.toMatchObject({ code: "TENANT_UNKNOWN" });

        const off = fakeSurroundings({});
        await expect(lifecycle("Zdb", off.surroundings).read(resourceId, outputs())).rejects.toMatchObject({
            code: "SSH_REFUSED",
            node: HOST,
        });
        expect(off.now()).toBe(60_000);
    });
});

describe("what a process remembers", () => {
    it("goes with the next call to that machine, once, unless this process made it", async () => {
        const { zmount, session, calls } = setUp({ "resource.create": () => report(), "resource.update": () => report() });
        const [seen, elsewhere] = [mintLife(), mintLife()];
        const olds = { ...checked("ZMount"), __given: [] };
        zmount.diff(`${nodeId}/${seen}`, olds, checked("ZMount"));
        zmount.diff(`${anotherMachine}/${mintTenantId()}/${elsewhere}`, olds, checked("ZMount"));
        await zmount.create(checked("ZMount"));
        expect(calls.at(-1)?.params.caller?.seen).toEqual([seen]);
        zmount.diff(resourceId, olds, checked("ZMount"));
        await zmount.update(resourceId, olds, checked("ZMount", { size: "30GiB" }));
        expect(calls.at(-1)?.params.caller?.seen).toEqual([]);
        expect(session.seen(anotherMachine)).toEqual([elsewhere]);
    });

    it("is told again when the call did not arrive", async () => {
        const answers = [busy()];
        const { zmount, calls } = setUp({
            "resource.create": () => {
                const error = answers.shift();
                if (error) throw error;
                return report();
            },
        });
        const seen = mintLife();
        zmount.diff(`${nodeId}/${seen}`, { ...checked("ZMount"), __given: [] }, checked("ZMount"));
        await zmount.create(checked("ZMount"));
        expect(calls.map(({ params }) => params.caller?.seen)).toEqual([[seen], [seen]]);
    });

    it("reaches a node as the Node itself says, not as its children do", async () => {
        const around = fakeSurroundings({ "10.0.0.12": fakeMachine({ "resource.delete": () => ({}) }) });
        const node = { ...checked("Node"), __given: [] };
        lifecycle("Node", around.surroundings).diff(nodeId, node, checked("Node", { host: "10.0.0.12" }));
        await lifecycle("ZMount", around.surroundings).delete(resourceId, written.ZMount);
        expect(around.links.map(({ reach }) => reach.host)).toEqual(["10.0.0.12"]);
    });

    it("does not take the way to a new machine for the way to the old one", async () => {
        const around = fakeSurroundings({ [HOST]: fakeMachine({ "resource.delete": () => ({}) }) });
        const node = { ...checked("Node"), __given: [] };
        lifecycle("Node", around.surroundings).diff(nodeId, node, checked("Node", { host: "10.0.0.12", machine: "instance-2" }));
        await lifecycle("ZMount", around.surroundings).delete(resourceId, written.ZMount);
        expect(around.links.map(({ reach }) => reach.host)).toEqual([HOST]);
    });
});
