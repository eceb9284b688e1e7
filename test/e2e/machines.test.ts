import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { type HostInfo, powerOff, powerOn, reinstall } from "../../dev/hosts/index.ts";
import { mintSessionId } from "../../protocol/ids.ts";
import { NodePool } from "../../provider/node/pool.ts";
import { reach } from "../../schema/on-node.ts";
import { expectNothingLeft, host, type Machine, machineOf, sh } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";

interface Values {
    readonly machine: Machine;
    readonly identity?: string;
}

const program: Program<Values> = ({ zeroform }, { machine, identity }) => {
    const node = new zeroform.Node("node", {
        ...machine,
        trash: "0s",
        timeouts: { delete: "8s" },
        ...(identity !== undefined && { machine: identity }),
    });
    const disk = new zeroform.ZMount("disk", { node, size: "32MiB", timeouts: { delete: "8s" } });
    const db = new zeroform.Zdb("events", {
        mount: disk,
        size: "8MiB",
        oversubscribe: true,
        listen: machine.host,
        timeouts: { delete: "8s" },
    });
    return { url: db.url };
};

describe("a machine", () => {
    it("that is off during a refresh is an error, never gone; and heals by itself when power is back", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await stack.program(program, { machine: machineOf(on) });
        await stack.up();
        const url = await stack.revealed<string>("url");
        await write(url, "kept");
        await powerOff(on.name);
        try {
            const said = await stack.fails(["refresh", "--skip-preview"]);
            expect(said).toContain(on.address);
            expect((await stack.state()).map(({ type }) => type)).toHaveLength(3);
        } finally {
            await powerOn(on.name);
        }
        expect(await read(url)).toBe("kept");
        await stack.refresh("--expect-no-changes");
        expect(await stack.plan()).toEqual({ node: "same", disk: "same", events: "same" });
        await stack.destroy();
        await expectNothingLeft(on);
    });

    it("that is off during destroy is an error with the way out, and is abandoned when told so", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await stack.program(program, { machine: machineOf(on) });
        await stack.up();
        await powerOff(on.name);
        try {
            expect(await stack.fails(["destroy", "--skip-preview"])).toContain("ZEROFORM_ON_UNREACHABLE=abandon");
            stack.environment.ZEROFORM_ON_UNREACHABLE = "abandon";
            const { output } = await stack.destroy();
            expect(output).toMatch(/abandon/i);
            expect(await stack.state()).toEqual([]);
        } finally {
            await reinstall(on.name);
        }
    });

    it("that was reinstalled at the same address is MACHINE_CHANGED until the program says so", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await stack.program(program, { machine: machineOf(on), identity: "first" });
        await stack.up();
        const old = await stack.resource("node");
        const again = await reinstall(on.name);
        const now = machineOf(again);
        await stack.program(program, { machine: now, identity: "first" });
        // The new host key comes into the state with the Node's new input; the machine behind it is another one all the same.
        await stack.run(["up", "--skip-preview"]);
        const said = await stack.fails(["refresh", "--skip-preview"]);
        expect(said).toMatch(/another machine|is not the machine|MACHINE_CHANGED/);
        await stack.program(program, { machine: now, identity: "second" });
        expect(await stack.plan()).toEqual({ node: "replace", disk: "replace", events: "replace" });
        const { output } = await stack.up();
        expect(output).toMatch(/abandon/i);
        expect((await stack.resource("node")).id).not.toBe(old.id);
        await write(await stack.revealed<string>("url"), "anew");
        expect(await stack.plan()).toEqual({ node: "same", disk: "same", events: "same" });
        await stack.destroy();
        await expectNothingLeft(again);
    });

    it("whose agent lost its store beside data says so, and touches nothing", async () => {
        const on = await host();
        await installAgent(on);
        await sh(on, "systemctl stop zeroform-agent && cp /var/lib/zeroform/store.db /root/older.db && systemctl start zeroform-agent");
        await using stack = await Stack.create();
        await stack.program(program, { machine: machineOf(on), identity: "first" });
        await stack.up();
        await write(await stack.revealed<string>("url"), "kept");
        await sh(
            on,
            "systemctl stop zeroform-agent && mv /var/lib/zeroform/store.db /root/ && rm -f /var/lib/zeroform/store.db-* && systemctl start zeroform-agent",
        );
        const said = await stack.fails(["refresh", "--skip-preview"]);
        expect(said).toMatch(/store/);
        expect(await stack.state()).toHaveLength(3);
        await sh(
            on,
            "systemctl stop zeroform-agent && rm -f /var/lib/zeroform/store.db* && mv /root/store.db /var/lib/zeroform/ && systemctl start zeroform-agent",
        );
        expect(await read(await stack.revealed<string>("url"))).toBe("kept");
        await stack.refresh("--expect-no-changes");

        // A copy that is older than the whole stack: nothing is dropped, and the next `up` takes all of it over.
        const before = await stack.state();
        await sh(
            on,
            "systemctl stop zeroform-agent && rm -f /var/lib/zeroform/store.db* && mv /root/older.db /var/lib/zeroform/store.db && systemctl start zeroform-agent",
        );
        await stack.refresh();
        expect((await stack.state()).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
        expect(await stack.plan()).toEqual({ node: "update", disk: "update", events: "update" });
        await stack.up();
        expect(await read(await stack.revealed<string>("url"))).toBe("kept");
        await stack.refresh("--expect-no-changes");
        await stack.destroy();
        await expectNothingLeft(on);
    });
});

/** An agent without anything to do yet. */
const installAgent = async (on: HostInfo): Promise<void> => {
    const pool = new NodePool({ session: mintSessionId() });
    await pool.link(reach.parse(machineOf(on)), { agent: "current", signal: AbortSignal.timeout(60_000) });
    await pool.end();
};

const connect = (url: string): Redis => {
    const client = new Redis(url, { connectTimeout: 1_000, maxRetriesPerRequest: 100, retryStrategy: () => 200 });
    client.on("error", () => undefined);
    return client;
};

const write = async (url: string, value: string): Promise<void> => {
    const client = connect(url);
    await client.set("key", value);
    client.disconnect();
};

const read = async (url: string): Promise<string | null> => {
    const client = connect(url);
    try {
        return await client.get("key");
    } finally {
        client.disconnect();
    }
};
