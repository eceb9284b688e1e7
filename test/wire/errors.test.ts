import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { mintLife, mintMachineId, mintTenantId } from "../../protocol/ids.ts";
import { WireError } from "./provider-process.ts";
import { make, nodeInputs, onNode, opened, type Run, startRun, urnOf } from "./run.ts";

const failureOf = async (call: Promise<unknown>): Promise<WireError> => {
    const thrown = await call.then(
        () => undefined,
        (error: unknown) => error,
    );
    if (thrown instanceof WireError) return thrown;
    throw new Error("the call did not fail");
};

describe("what goes wrong, as the engine and the user see it", () => {
    let run: Run;
    let node: Awaited<ReturnType<typeof make>>;
    beforeAll(async () => {
        run = await startRun();
        node = await make(run, "Node", nodeInputs(run));
    });
    afterAll(async () => {
        const said = run.provider.output.join("\n");
        await run.stop();
        expect(said).not.toMatch(/^\s+at /m);
        expect(said).not.toContain("PRIVATE KEY");
    });

    it("is the agent's own sentence, with what and where, and no stack", async () => {
        run.node.answers["resource.create"] = () =>
            Promise.reject(
                new ZeroformError({ code: "NO_ROOM", message: "the pool has 3GiB free of the 20GiB wanted", hint: "Make room." }),
            );
        const error = await failureOf(make(run, "ZMount", onNode(run, node.id, "ZMount", "disk", { size: "20GiB" })));
        delete run.node.answers["resource.create"];
        expect(error.message).toBe('ZMount "disk" on 127.0.0.1: the pool has 3GiB free of the 20GiB wanted. Make room.');
        expect(error.partial).toBeUndefined();
    });

    it("drops lines of a stack from words of the node", async () => {
        run.node.answers["resource.read"] = () =>
            Promise.reject(new ZeroformError({ code: "FAILED", message: "the server ended:\n    at main (server.ts:1)\nout of memory" }));
        const id = `${node.id}/${mintLife()}`;
        const error = await failureOf(run.provider.read("ZMount", id, onNode(run, node.id, "ZMount", "disk", { size: "20GiB" })));
        delete run.node.answers["resource.read"];
        expect(error.message).toContain("the server ended:\nout of memory");
    });

    it("is a partial success when the resource exists but is not ready: complete properties and reasons", async () => {
        const life = mintLife();
        run.node.answers["resource.create"] = async () => ({
            life,
            state: "unfinished",
            reasons: ["its server does not start"],
            spec: { size: "1GiB", port: 9900 },
            generatedSecrets: { password: "generated-on-the-node" },
            outputs: {},
        });
        const { inputs } = await run.provider.check("Zdb", {}, onNode(run, node.id, "Zdb", "events", { size: "1GiB" }));
        const error = await failureOf(run.provider.create("Zdb", inputs));
        delete run.node.answers["resource.create"];
        expect(error.partial?.id).toBe(`${node.id}/${life}`);
        expect(error.partial?.reasons).toEqual(["its server does not start"]);
        expect(opened(error.partial?.properties ?? {})).toMatchObject({
            size: "1GiB",
            port: 9900,
            password: "generated-on-the-node",
            __unfinished: "its server does not start",
            __provider: expect.stringContaining('load("Zdb")'),
            __urn: urnOf("Zdb", "events"),
        });
        expect(error.message).toContain("its server does not start");
        expect(error.message).not.toContain("generated-on-the-node");
    });

    it("is thrown by diff where data would be lost", async () => {
        const disk = await make(run, "ZMount", onNode(run, node.id, "ZMount", "disk", { size: "20GiB" }));
        const error = await failureOf(run.provider.diff("ZMount", disk.id, opened(disk.outs), { ...disk.inputs, filesystem: "xfs" }));
        expect(error.message).toMatch(/^ZMount "disk": a change of filesystem \(a file system is not converted in place\)/);
        expect(error.message).toContain("replaceData: true");
        const allowed = { ...disk.inputs, filesystem: "xfs", replaceData: true };
        expect((await run.provider.diff("ZMount", disk.id, opened(disk.outs), allowed)).replaces).toEqual(["filesystem"]);
        await run.provider.delete("ZMount", disk.id, opened(disk.outs));
    });

    it("names another machine as that, and not as gone", async () => {
        const id = `${mintMachineId()}/${mintTenantId()}/${mintLife()}`;
        const error = await failureOf(run.provider.read("ZMount", id, onNode(run, node.id, "ZMount", "disk", { size: "20GiB" })));
        expect(error.message).toContain("another machine answers at 127.0.0.1");
    });

    it("keeps a defect to one sentence", async () => {
        const error = await failureOf(
            run.provider.update("ZMount", "no id", {}, onNode(run, node.id, "ZMount", "disk", { size: "20GiB" })),
        );
        expect(error.message).toMatch(/"no id" is not the id of a ZMount/);
        const unknown = await failureOf(run.provider.check("ZWhat", {}, {}));
        expect(unknown.message).toMatch(/no resource of kind "ZWhat"/);
    });

    it("sends nothing that protobuf cannot carry", async () => {
        const life = mintLife();
        run.node.answers["resource.create"] = async () => ({
            life,
            state: "ready",
            reasons: [],
            spec: { size: 20 * 2 ** 30, pool: null, filesystem: undefined },
            generatedSecrets: {},
            outputs: { path: "/mnt", extra: { since: new Date(0), none: null } },
        });
        const { outs } = await make(run, "ZMount", onNode(run, node.id, "ZMount", "odd", { size: "20GiB" }));
        delete run.node.answers["resource.create"];
        expect(outs).toMatchObject({ size: "20GiB", path: "/mnt" });
        expect(outs).not.toHaveProperty("pool");
        expect(outs).not.toHaveProperty("extra");
    });

    it("has no property where the value may be secret", async () => {
        const news = onNode(run, node.id, "Zdb", "events", { size: "1GiB", password: "short", pasword: "also-a-password" });
        const { failures } = await run.provider.check("Zdb", {}, news);
        expect(failures.map(({ property }) => property)).toEqual(["", ""]);
        expect(JSON.stringify(failures)).not.toMatch(/short|also-a-password/);
        expect(failures[0]?.reason).toContain('"password"');
    });
});
