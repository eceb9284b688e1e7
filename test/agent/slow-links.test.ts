import { randomBytes } from "node:crypto";
import { appendFile } from "node:fs/promises";
import { afterAll, describe, expect, it } from "vitest";
import { down, exec, up } from "../../dev/hosts/index.ts";
import { systemClock } from "../../provider/dynamic/clock.ts";
import { persist } from "../../provider/lifecycle/attempts.ts";
import type { NodePool } from "../../provider/node/pool.ts";
import { reach } from "../../schema/on-node.ts";
import { prefixOf } from "../prefix.ts";
import { bundleFakeAgent, type FakeAgent } from "./fake-bundle.ts";
import { SlowRelay } from "./slow-relay.ts";
import { Transport, want } from "./transport-host.ts";

const MIB = 1024 ** 2;
/** 1 Mbit/s. */
const BYTES_PER_SECOND = 125_000;
const engine = { assertAlive: async () => undefined, say: () => undefined, inform: () => undefined, warn: () => undefined };

describe("a link of 1 Mbit/s with a round trip of 200 ms", () => {
    const on = new Transport(prefixOf("nslow"));

    /** A bundle of which no packing makes less than `bytes`. */
    const heavy = async (agent: FakeAgent, bytes: number): Promise<string> => {
        const bundle = await bundleFakeAgent(on.directory, agent);
        await appendFile(bundle, `\n//${randomBytes((bytes * 4) / 3 / 1.33).toString("base64")}\n`);
        return bundle;
    };
    const slowly = async (): Promise<{ readonly relay: SlowRelay; readonly given: ReturnType<typeof on.reach> }> => {
        // The runtime is there, and an agent: so that what is uploaded takes seconds, not minutes.
        await on.pool().link(on.reach(), want());
        const relay = await SlowRelay.to(on.host.address, on.host.port, { oneWayMs: 100, bytesPerSecond: BYTES_PER_SECOND });
        return { relay, given: on.reach({ host: "127.0.0.1", port: relay.port, hostKey: on.host.hostKey }) };
    };

    it("takes its time beyond any deadline while an upload moves, and calls are answered meanwhile", async () => {
        const { relay, given } = await slowly();
        await using _ = relay;
        const pool = on.pool({ agentBundle: await heavy({ build: 2 }, 2.5 * MIB) });
        const old = await pool.link(given, want("present"));
        const said: string[] = [];
        const deadline = { timeoutMs: 10_000, clock: systemClock, engine, urn: "urn", context: {} };
        const upgrade = persist(deadline, ({ signal, moved }) =>
            pool.link(given, { agent: "current", signal, onMoved: moved, onProgress: (doing) => said.push(doing) }),
        );
        await expect.poll(() => said.filter((line) => line.startsWith("uploading agent")).length, { timeout: 30_000 }).toBeGreaterThan(1);
        let answered = 0;
        while (said.at(-1)?.startsWith("uploading agent")) {
            await old.request("trash.list", {});
            answered += 1;
        }
        expect((await upgrade).welcome.agentHash).not.toBe(old.welcome.agentHash);
        // One that waits behind what the connection can swallow at once would have been answered at the very end.
        expect(answered).toBeGreaterThan(4);
        expect(said.some((line) => /^uploading agent \d+ of 3 MiB \(\d+ s left\)$/.test(line))).toBe(true);
    });

    it("loses its connection, and what the node runs for it, in the middle of an upload and goes on where it was", async () => {
        const { relay, given } = await slowly();
        await using _ = relay;
        const bytes = 1.2 * MIB;
        const pool = on.pool({ agentBundle: await heavy({ build: 3 }, bytes) });
        const before = (await pool.link(given, want("present"))).welcome.agentHash;
        const upgrade = pool.link(given, want());
        await expect.poll(() => relay.sent, { timeout: 30_000 }).toBeGreaterThan(bytes / 4);
        // A machine that shuts down in order ends commands before connections.
        expect((await exec(on.host, ["sh", "-c", "kill -TERM $(pgrep -f '/[.]part[.]')"])).code).toBe(0);
        await expect.poll(() => relay.sent, { timeout: 30_000 }).toBeGreaterThan(bytes / 2);
        relay.cut();
        expect((await upgrade).welcome.agentHash).not.toBe(before);
        expect(relay.connections).toBe(2);
        expect(relay.sent).toBeLessThan(bytes * 1.3);
        const left = await exec(on.host, ["find", "/var/lib/zeroform", "-name", ".part.*", "-o", "-name", ".upload*"]);
        expect(left.stdout).toBe("");
    });
});

describe("twenty machines at once", () => {
    const prefix = prefixOf("n20");
    const on = new Transport(prefixOf("nslow"));
    afterAll(() => down({ prefix }));

    it("all get their agent at first contact", async () => {
        const machines = await up({ prefix, count: 20, diskBytes: 512 * MIB });
        const pool: NodePool = on.pool();
        const links = await Promise.all(
            machines.map(({ address, identityFile }) =>
                pool.link(reach.parse({ host: address, user: "root", identityFile }), want("current", 240_000)),
            ),
        );
        expect(new Set(links.map(({ welcome }) => welcome.machine)).size).toBe(20);
        expect(links.map(({ hostKey }) => hostKey)).toEqual(machines.map(({ hostKey }) => hostKey));
    });
});
