import { describe, expect, it } from "vitest";
import { parseResourceId } from "../../protocol/ids.ts";
import { AgentSession } from "./agent.ts";
import { zeroform } from "./cli.ts";
import { host, type Machine, machineOf, sh } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";
import { withClient } from "./with-client.ts";

interface Values {
    readonly machine: Machine;
    readonly mode: "user" | "seq";
    readonly replaceData?: boolean;
    readonly without?: boolean;
}

const program: Program<Values> = ({ zeroform }, { machine, mode, replaceData = false, without = false }) => {
    const node = new zeroform.Node("node", { ...machine, trash: "1h" });
    const disk = new zeroform.ZMount("disk", { node, size: "64MiB", onRemove: "delete" });
    if (without) return undefined;
    const db = new zeroform.Zdb("events", { mount: disk, size: "8MiB", oversubscribe: true, listen: machine.host, mode, replaceData });
    return { url: db.url };
};

describe("data", () => {
    it("is not lost by a replacement that nobody asked for, goes to the trash by one that was, and comes back from there", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await using agent = new AgentSession(on);
        const machine = machineOf(on);
        await stack.program(program, { machine, mode: "user" });
        await stack.up();
        await withClient(await stack.revealed<string>("url"), (client) => client.set("key", "precious"));

        await stack.program(program, { machine, mode: "seq" });
        const refused = await stack.fails(["preview"]);
        expect(refused).toContain("replaceData: true");
        expect(refused).toContain("mode");

        await stack.program(program, { machine, mode: "user", without: true });
        await stack.up();
        await stack.program(program, { machine, mode: "user" });
        await stack.up();
        const url = await stack.revealed<string>("url");
        expect(await withClient(url, (client) => client.get("key"))).toBeNull();

        const list = JSON.parse(await zeroform(machine, ["trash", "list", "--json"])) as {
            trash: { life: string; name: string; kind: string }[];
        }[];
        const [trashed] = list.flatMap(({ trash }) => trash);
        expect(trashed).toMatchObject({ kind: "Zdb", name: "events" });
        await zeroform(machine, ["trash", "restore", trashed?.life ?? ""]);
        expect(await withClient(url, (client) => client.get("key"))).toBe("precious");
        expect(await stack.plan()).toEqual({ node: "same", disk: "same", events: "same" });
        await stack.refresh("--expect-no-changes");

        await stack.program(program, { machine, mode: "seq", replaceData: true });
        expect(await stack.plan()).toMatchObject({ events: "replace", disk: "same" });
        await stack.up();
        // What is in the trash keeps the agent there until it is purged, and the user is told.
        expect((await stack.destroy()).output).toMatch(/trash/);
        expect((await agent.status()).trash.length).toBeGreaterThan(0);
    });

    it("of a mount comes back the same way, whatever lies on it", async () => {
        const on = await host();
        await using stack = await Stack.create();
        const machine = machineOf(on);
        const mounts: Program<{ machine: Machine; filled: boolean }> = ({ zeroform }, { machine, filled }) => {
            const node = new zeroform.Node("node", { ...machine, trash: "1h" });
            if (filled) new zeroform.ZMount("disk", { node, size: "32MiB" });
            return undefined;
        };
        await using agent = new AgentSession(on);
        const path = async () => String((await stack.resource("disk")).outputs?.path);
        await stack.program(mounts, { machine, filled: true });
        await stack.up();
        await sh(on, `echo precious > ${await path()}/file`);
        await stack.program(mounts, { machine, filled: false });
        await stack.up();
        const { trash } = await agent.status();
        expect(trash).toHaveLength(1);
        await stack.program(mounts, { machine, filled: true });
        await stack.up();
        const life = trash[0]?.life;
        expect(parseResourceId((await stack.resource("disk")).id ?? "")?.life).not.toBe(life);
        await zeroform(machine, ["trash", "restore", String(life)]);
        expect(await sh(on, `cat ${await path()}/file`)).toBe("precious");
        await stack.refresh("--expect-no-changes");
        // What is in the trash keeps the agent there until it is purged, and the user is told.
        expect((await stack.destroy()).output).toMatch(/trash/);
        expect((await agent.status()).trash.length).toBeGreaterThan(0);
    });
});
