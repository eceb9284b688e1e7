import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UNKNOWN } from "../../provider/lifecycle/values.ts";
import { make, nodeInputs, onNode, opened, type Run, startRun, urnOf } from "./run.ts";

const SECRET = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };

describe("the real host of dynamic providers, with a node behind it", () => {
    let run: Run;
    let node: Awaited<ReturnType<typeof make>>;
    beforeAll(async () => {
        run = await startRun();
        node = await make(run, "Node", nodeInputs(run));
    });
    afterAll(() => run.stop());

    it("makes a Node: id of machine and tenant, pinned host key, connection secret as a whole", () => {
        const [tenant] = run.node.tenants.keys();
        expect(node.id).toBe(`${run.node.machine}/${tenant}`);
        expect(node.outs).toMatchObject({
            host: "127.0.0.1",
            hostKey: expect.stringMatching(/^ssh-ed25519 /),
            privateKey: SECRET,
            machineId: run.node.machine,
            cores: 2,
            connection: { ...SECRET, value: { host: "127.0.0.1", port: run.node.port, user: "root", privateKey: run.node.privateKey } },
            __urn: urnOf("Node", "alpha"),
        });
        expect(node.outs.__given).not.toContain("hostKey");
        expect(node.outs.__provider).toContain('load("Node")');
    });

    it("makes, changes, reads and removes a resource; status lines arrive on it", async () => {
        run.node.answers["resource.create"] = async (params, call) => {
            call.progress("reserving the space");
            // A line is for whoever waits: what is done at once says none.
            await run.engine.heard("reserving the space");
            return run.node.handlers["resource.create"](params, call);
        };
        const disk = await make(run, "ZMount", onNode(run, node.id, "ZMount", "disk", { size: "20GiB" }));
        delete run.node.answers["resource.create"];
        expect(disk.id.startsWith(`${node.id}/l`)).toBe(true);
        expect(disk.outs).toMatchObject({ size: "20GiB", connection: { privateKey: SECRET } });
        expect(disk.outs).not.toHaveProperty("filesystem");
        expect(run.engine.lines).toContainEqual(
            expect.objectContaining({ urn: urnOf("ZMount", "disk"), message: "reserving the space", ephemeral: true }),
        );

        const olds = opened(disk.outs);
        const { inputs } = await run.provider.check("ZMount", disk.inputs, { ...disk.inputs, size: "30GiB" });
        expect(await run.provider.diff("ZMount", disk.id, olds, inputs)).toEqual({
            changes: "unknown",
            replaces: [],
            deleteBeforeReplace: false,
        });
        const { outs } = await run.provider.update("ZMount", disk.id, olds, inputs);
        expect(outs).toMatchObject({ size: "30GiB", path: disk.outs.path });

        const read = await run.provider.read("ZMount", disk.id, opened(outs));
        expect(read.id).toBe(disk.id);
        expect(opened(read.inputs ?? {})).toEqual({ ...inputs, __provider: outs.__provider });
        expect(read.props).toEqual(outs);

        await run.provider.delete("ZMount", disk.id, opened(outs));
        expect((await run.provider.read("ZMount", disk.id, opened(outs))).id).toBe("");
        await run.provider.delete("ZMount", disk.id, opened(outs));
    });

    it("keeps a generated password secret, and out of the inputs", async () => {
        const db = await make(run, "Zdb", onNode(run, node.id, "Zdb", "events", { size: "1GiB" }));
        expect(db.outs.password).toEqual({ ...SECRET, value: "generated-on-the-node" });
        expect(db.outs).toMatchObject({ host: "127.0.0.1", port: 9900 });
        expect(db.outs).not.toHaveProperty("url");
        const read = await run.provider.read("Zdb", db.id, opened(db.outs));
        expect(read.inputs).not.toHaveProperty("password");
        expect(read.props.password).toEqual(db.outs.password);
        await run.provider.delete("Zdb", db.id, opened(db.outs));
    });

    it("answers a preview with unknowns, in many calls at once, without any contact", async () => {
        const before = run.node.calls.length;
        const news = onNode(run, UNKNOWN, "ZMount", "disk", { size: UNKNOWN });
        const answers = await Promise.all(Array.from({ length: 50 }, () => run.provider.check("ZMount", {}, news)));
        for (const { inputs, failures } of answers) {
            expect(failures).toEqual([]);
            expect(inputs).toMatchObject({ node: UNKNOWN, size: UNKNOWN });
            expect(inputs).not.toHaveProperty("filesystem");
        }
        expect(run.node.calls.length).toBe(before);
    });

    it("tells an unknown client field from a change", async () => {
        const disk = await make(run, "ZMount", onNode(run, node.id, "ZMount", "other", { size: "20GiB" }));
        const connection = { ...(disk.inputs.connection as object), hostKey: UNKNOWN };
        const diff = (more: object) => run.provider.diff("ZMount", disk.id, opened(disk.outs), { ...disk.inputs, connection, ...more });
        expect((await diff({})).changes).toBe("none");
        expect((await diff({ size: UNKNOWN })).changes).toBe("unknown");
        await run.provider.delete("ZMount", disk.id, opened(disk.outs));
    });

    it("rewrites client fields without any contact", async () => {
        const disk = await make(run, "ZMount", onNode(run, node.id, "ZMount", "quiet", { size: "20GiB" }));
        const before = run.node.calls.length;
        const { outs } = await run.provider.update("ZMount", disk.id, opened(disk.outs), { ...disk.inputs, onRemove: "keep" });
        expect(outs).toEqual({ ...disk.outs, onRemove: "keep" });
        expect(run.node.calls.length).toBe(before);
        await run.provider.delete("ZMount", disk.id, opened(outs));
        expect(run.node.calls.at(-1)).toMatchObject({ method: "resource.delete", params: { onRemove: "keep", trashMs: 86_400_000 } });
    });
});
