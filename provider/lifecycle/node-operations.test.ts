import { describe, expect, it } from "vitest";
import { mintTenantId } from "../../protocol/ids.ts";
import { VERSION } from "../../protocol/version.ts";
import { anotherMachine, fakeMachine, fakeSurroundings, nodeReport } from "./fake-surroundings.ts";
import { lifecycle } from "./lifecycle.ts";
import { checked, machine, nodeId, tenant, urnOf } from "./sample.ts";
import type { Properties } from "./values.ts";

const HOST = "10.0.0.11";
const found = { found: true as const, ...nodeReport };

const setUp = (answers: Parameters<typeof fakeMachine>[0], hosts = [HOST]) => {
    const around = fakeSurroundings(Object.fromEntries(hosts.map((host) => [host, fakeMachine(answers)])));
    return { ...around, node: lifecycle("Node", around.surroundings) };
};
const outputsOf = (inputs: Properties): Properties => ({
    ...inputs,
    hostKey: "ssh-ed25519 AAAA",
    machineId: machine,
    tenant,
    ...nodeReport.facts,
    __given: [],
});

describe("a Node", () => {
    it("is made with the agent of this release, and pins the host key that it met", async () => {
        const { node, links, calls, session } = setUp({ "node.create": () => nodeReport });
        const seen = mintTenantId();
        session.noticed(`${machine}/${seen}`);
        const { id, outputs } = await node.create(checked("Node"));
        expect(id).toBe(nodeId);
        expect(links[0]?.options).toMatchObject({ agent: "current", version: undefined });
        expect(calls[0]?.params).toMatchObject({
            urn: urnOf("Node", "alpha"),
            name: "alpha",
            settings: { installPackages: true },
            operation: expect.any(String),
            seen: [seen],
        });
        expect(outputs).toMatchObject({
            hostKey: "ssh-ed25519 AAAA",
            machineId: machine,
            tenant,
            agentVersion: VERSION,
            ...nodeReport.facts,
            connection: { host: HOST, port: 22, user: "root", hostKey: "ssh-ed25519 AAAA" },
        });
        expect(outputs.__given).not.toContain("hostKey");
    });

    it("shows the controllers that its agent tells, and is as complete without", async () => {
        const facts = { ...nodeReport.facts, controllers: ["cpu", "memory"] };
        const telling = setUp({ "node.create": () => ({ ...nodeReport, facts }) });
        expect((await telling.node.create(checked("Node"))).outputs.controllers).toEqual(["cpu", "memory"]);
        const older = setUp({ "node.create": () => nodeReport });
        const { outputs } = await older.node.create(checked("Node"));
        expect(outputs).not.toHaveProperty("controllers");
        expect(outputs.connection).toMatchObject({ host: HOST });
    });

    it("that its agent has no record of is kept, and looked after by the next update", async () => {
        const reasons = ["the agent has no record of this Node"];
        const { node, calls } = setUp({ "node.read": () => ({ ...found, reasons }), "node.update": () => nodeReport });
        const inputs = checked("Node");
        const reading = await node.read(nodeId, outputsOf(inputs));
        if (!reading.found) throw new Error("it was dropped");
        expect(reading.inputs).toMatchObject({ __unfinished: reasons[0] });
        const { outputs } = await node.update(nodeId, reading.outputs, inputs);
        expect(calls.map(({ method }) => method)).toEqual(["node.read", "node.update"]);
        expect(outputs).not.toHaveProperty("__unfinished");
    });

    it("asks for another version only when the program does", async () => {
        const { node, links } = setUp({ "node.create": () => nodeReport });
        await node.create(checked("Node", { agentVersion: "0.0.9" }));
        expect(links[0]?.options.version).toBe("0.0.9");
    });

    it("hands its key on in the connection that other tools use", async () => {
        const { node } = setUp({ "node.create": () => nodeReport });
        const { outputs } = await node.create(checked("Node", { privateKey: "the key", user: "admin", port: 2222 }));
        expect(outputs.connection).toEqual({ host: HOST, port: 2222, user: "admin", hostKey: "ssh-ed25519 AAAA", privateKey: "the key" });
    });

    it("hands its jump host on too, with its own key and the one that was pinned", async () => {
        const { node } = setUp({ "node.create": () => nodeReport });
        const via = [{ host: "bastion", port: 2222, user: "jump", privateKey: "its key", passphrase: "its words" }];
        const { outputs } = await node.create(checked("Node", { via, passphrase: "of a file" }));
        expect(outputs.connection).toEqual({
            host: HOST,
            port: 22,
            user: "root",
            hostKey: "ssh-ed25519 AAAA",
            proxy: {
                host: "bastion",
                port: 2222,
                user: "jump",
                hostKey: "ssh-ed25519 HOP",
                privateKey: "its key",
                privateKeyPassword: "its words",
            },
        });
        expect(outputs.hopKeys).toEqual(["[bastion]:2222 ssh-ed25519 HOP"]);
        expect(outputs.via).toEqual(via);
    });

    it("is upgraded by update, and by nothing else", async () => {
        const { node, links } = setUp({ "node.update": () => nodeReport, "node.read": () => found });
        const olds = { ...outputsOf(checked("Node")), agentVersion: "0.0.9" };
        await node.update(nodeId, olds, checked("Node"));
        expect(links.at(-1)?.options.agent).toBe("current");
        await node.read(nodeId, olds);
        expect(links.at(-1)?.options.agent).toBe("present");
    });

    it.each<[string, Properties]>([
        ["host", { host: "10.0.0.12" }],
        ["port", { port: 2222 }],
        ["trash", { trash: "2d" }],
        ["onUnreachable", { onUnreachable: "abandon" }],
    ])("rewrites its state without any contact when only %s differs", async (_, more) => {
        const { node, links } = setUp({});
        const news = checked("Node", more);
        const { outputs } = await node.update(nodeId, outputsOf(checked("Node")), news);
        expect(outputs).toMatchObject({ ...news, machineId: machine, hostKey: "ssh-ed25519 AAAA" });
        expect(outputs.connection).toMatchObject({ host: news.host, port: news.port ?? 22 });
        expect(links).toEqual([]);
    });

    it("reads as inputs exactly what the program gave", async () => {
        const { node } = setUp({ "node.read": () => found });
        const inputs = checked("Node");
        const reading = await node.read(nodeId, outputsOf(inputs));
        if (!reading.found) throw new Error("it was found");
        expect(reading.inputs).toEqual(inputs);
        expect(reading.outputs).toMatchObject(outputsOf(inputs));
    });

    it("shows an agent that is too old as drift, and one that another stack upgraded as none", async () => {
        const read = async (agentVersion: string) => {
            const { node } = setUp({ "node.read": () => ({ ...found, agentVersion }) });
            const reading = await node.read(nodeId, outputsOf(checked("Node")));
            return reading.found && reading.inputs.agentVersion;
        };
        expect(await read("0.0.9")).toBe("0.0.9");
        expect(await read("9.0.0")).toBe(VERSION);
    });

    it("is absent only when the right machine says so", async () => {
        const gone = setUp({ "node.read": () => ({ found: false }) });
        expect(await gone.node.read(nodeId, outputsOf(checked("Node")))).toEqual({ found: false });
        const other = fakeSurroundings({ [HOST]: fakeMachine({ "node.read": () => ({ found: false }) }, anotherMachine) });
        const reading = lifecycle("Node", other.surroundings).read(nodeId, outputsOf(checked("Node")));
        await expect(reading).rejects.toMatchObject({ code: "MACHINE_CHANGED", kind: "Node", resource: "alpha" });
        expect(other.calls).toEqual([]);
    });
});
