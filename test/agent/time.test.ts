import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mintSessionId } from "../../protocol/ids.ts";
import { NodePool } from "../../provider/node/pool.ts";
import { reach } from "../../schema/on-node.ts";
import { machineOf } from "../e2e/hosts.ts";
import { FAKE_CLOCK, setClock } from "../faults/faults/clock-set.ts";
import { prefixOf } from "../prefix.ts";
import { AgentRig, type Channel, urnOf } from "./core/rig.ts";
import { SlowRelay } from "./slow-relay.ts";

const DAY_S = 86_400;
const HOUR_MS = 3_600_000;
/** Beats stay away for so long before a caller counts as gone, and then it has a moment to come back. */
const NOTICED_WITHIN_MS = 60_000;
/** What one that may only be slow is given. */
const SLOW_START_MS = 30_000;

let rig: AgentRig;
let channel: Channel;

beforeAll(async () => {
    rig = await AgentRig.start(prefixOf("at"));
    await rig.sh(FAKE_CLOCK);
    await rig.install();
    channel = await rig.channel();
    await channel.node();
});
afterAll(async () => {
    await rig?.stop();
});

/** The way of a provider to the host. */
const linkTo = (pool: NodePool, port: number, host: string) =>
    pool.link(reach.parse({ ...machineOf(rig.host), host, port }), { agent: "present", signal: AbortSignal.timeout(60_000) });

describe.concurrent("an agent", () => {
    it("keeps trash for its time, whatever the clock of its machine is set to", async () => {
        const sweep = () => channel.ask("reconciler.sweep", {});
        const trash = async () => (await channel.ask("trash.list", {})).map(({ name }) => name);
        const pieces = [];
        for (const name of ["long", "short"]) pieces.push(await channel.create("ZMount", name, { size: "16MiB" }));
        const [long, short] = pieces;
        if (!long || !short) throw new Error("nothing was made");
        await channel.remove(long, HOUR_MS);
        await rig.sh(setClock(2 * DAY_S));
        await sweep();
        expect(await trash()).toEqual(["long"]);
        await rig.sh(setClock(-DAY_S));
        await channel.remove(short, 2_000);
        await rig.sh(setClock(-10 * DAY_S));
        await expect.poll(async () => [await sweep(), await trash()].at(-1), { timeout: 30_000 }).toEqual(["long"]);
        const [piece] = await channel.ask("trash.list", {});
        const nodesNow = Number(await rig.sh("date +%s")) * 1_000 - 10 * DAY_S * 1_000;
        expect((piece?.purgeAt ?? 0) - nodesNow).toBeLessThanOrEqual(HOUR_MS + 1_000);
        expect((piece?.purgeAt ?? 0) - nodesNow).toBeGreaterThan(HOUR_MS / 2);
    });

    it("lets the next run go on within a minute after the last one's machine vanished without a word", async () => {
        await using relay = await SlowRelay.to(rig.host.address, rig.host.port, {});
        const pool = new NodePool({ session: mintSessionId() });
        const laptop = await linkTo(pool, relay.port, "127.0.0.1");
        const { tenant } = channel;
        const next = await rig.channel();
        next.tenant = tenant;
        const wanted = {
            caller: { machine: laptop.welcome.machine, tenant, seen: [] },
            kind: "ZMount",
            urn: urnOf("ZMount", "wanted"),
            name: "wanted",
            operation: mintSessionId(),
            spec: { node: `${laptop.welcome.machine}/${tenant}`, size: "16MiB" },
            waitMs: 60_000,
            trashMs: 0,
            settings: { installPackages: true },
        } as const;
        const { life } = await laptop.request("resource.create", wanted);
        relay.freeze();
        const vanished = performance.now();
        // As long as the agent does not know, it cannot tell the two runs from two that are both there.
        const again = () => next.create("ZMount", "wanted", { size: "16MiB" }).catch(({ code }: { code: string }) => code);
        let outcome = await again();
        expect(outcome).toBe("BUSY");
        while (outcome === "BUSY") outcome = await again();
        expect(performance.now() - vanished).toBeLessThan(NOTICED_WITHIN_MS);
        expect(outcome).toMatchObject({ state: "ready" });
        const { resources } = await next.ask("status", {});
        expect(resources.map((each) => each.life)).not.toContain(life);
        await pool.end();
    });
});

describe("an agent that cannot start", () => {
    it("is not waited for as one that starts slowly, and its own words say why", async () => {
        const pool = new NodePool({ session: mintSessionId() });
        await rig.sh("chattr +i /var/lib/zeroform/store.db; systemctl kill --signal=KILL zeroform-agent.service");
        try {
            const since = performance.now();
            const said = await linkTo(pool, rig.host.port, rig.host.address).catch((failure: Error) => failure.message);
            expect(said).toMatch(/ends as soon as it has started: the agent cannot write its desired state: .*read-only/);
            expect(performance.now() - since).toBeLessThan(SLOW_START_MS / 2);
        } finally {
            await rig.sh("chattr -i /var/lib/zeroform/store.db");
        }
        expect((await linkTo(pool, rig.host.port, rig.host.address)).welcome.store).toBe("ok");
        await pool.end();
    });
});
