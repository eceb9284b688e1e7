import * as fs from "node:fs";
import * as path from "node:path";
import { expect, test } from "vitest";
import { Random } from "../../test/faults/random.ts";
import { FragileDevice, FragileDirectory } from "../../test/zdb/fragile-device.ts";
import { NO_TROUBLE } from "../../test/zdb/fragile-disk.ts";
import { canMount, FuseMount } from "../../test/zdb/fuse-mount.ts";
import { KeyLedger } from "../../test/zdb/key-ledger.ts";
import { RespClient } from "../../test/zdb/resp-client.ts";
import { type ServerProcess, startProcess } from "../../test/zdb/server-process.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";

/** `npm run faults:zdb` has 200. */
const ROUNDS = Number(process.env.ZEROFORM_ZDB_ROUNDS ?? 2);
const SEED = Number(process.env.ZEROFORM_SEED ?? 1);
const INTERVAL_MS = 500;
/** Whether each acknowledged write must be there; how much `interval` may lose is a matter of time, and judged in process. */
const KEEPS_ALL = { none: false, interval: false, commit: true } as const;
const TEXTS = { none: "none", interval: `interval ${INTERVAL_MS}ms`, commit: "commit" } as const;
type Name = keyof typeof TEXTS;
const NAMES = Object.keys(TEXTS) as Name[];

/** One device under a server that is cut off and comes back again and again. */
class Machine {
    private readonly directory = temporaryDirectory();
    private readonly random: Random;
    private device: FragileDevice;
    private mount: FuseMount | undefined;
    private server: ServerProcess | undefined;

    constructor(random: Random) {
        this.random = random;
        this.device = new FragileDevice(random.pick([512, 4096]));
        fs.mkdirSync(this.mountPoint);
    }

    private get mountPoint(): string {
        return path.join(this.directory, "disk");
    }

    get socket(): string {
        return path.join(this.directory, "s");
    }

    async start(): Promise<FuseMount> {
        const mount = new FuseMount(this.device, this.mountPoint, this.random);
        this.mount = mount;
        await mount.mount();
        const data = path.join(this.mountPoint, "data");
        const argv = ["--data", data, "--index", path.join(this.mountPoint, "index"), "--socket", this.socket, "--datasize", "524288"];
        this.server = await startProcess(argv, [], () => undefined);
        return mount;
    }

    /** What the server said about what it found. */
    get lines(): string {
        return this.server?.lines.join("\n") ?? "";
    }

    async losePower(): Promise<void> {
        if (this.mount) this.mount.isDead = true;
        await this.end();
        this.device = this.device.afterPowerLoss(this.random);
        // The kernel of the tests goes on running; that of a machine without power does not.
        const data = this.device.find("/data");
        if (data instanceof FragileDirectory) for (const names of [data.entries, data.durable]) names.delete(".boot");
    }

    async end(): Promise<void> {
        await this.server?.kill("SIGKILL");
        this.server = undefined;
        await this.mount?.unmount();
        this.mount = undefined;
    }
}

async function prepare(socket: string): Promise<void> {
    const client = await RespClient.connect({ path: socket });
    for (const name of NAMES) {
        await client.call("NSNEW", name);
        await client.call("NSSET", name, "durability", TEXTS[name]);
    }
    client.close();
}

/** Writes as fast as it is answered, until the server is gone. */
async function write(socket: string, name: Name, ledger: KeyLedger, random: Random): Promise<void> {
    const client = await RespClient.connect({ path: socket }).catch(() => undefined);
    // The power was gone before.
    if (!client) return;
    try {
        await client.call("SELECT", name);
        for (;;) {
            const key = `k${random.whole(0, 40)}`;
            const value = random.chance(0.1) ? undefined : ledger.newValue(random.pick([10, 300, 3000, 30_000]));
            const tried = ledger.tries(key, value);
            const answer = await client.call(...(value === undefined ? ["DEL", key] : ["SET", key, value]));
            if (answer === key || (typeof answer === "object" && answer !== null && "status" in answer)) tried.ackedMs = performance.now();
        }
    } catch {
        // The power is gone.
    } finally {
        client.close();
    }
}

async function verify(socket: string, ledgers: ReadonlyMap<Name, KeyLedger>, cutMs: number): Promise<void> {
    const client = await RespClient.connect({ path: socket });
    for (const [name, ledger] of ledgers) {
        await client.call("SELECT", name);
        expect(await client.call("NSINFO", name)).toContain("state: ok\n");
        const promisedMs = KEEPS_ALL[name] ? cutMs : Number.NEGATIVE_INFINITY;
        for (const key of ledger.keys()) {
            const found = await client.call("GET", key);
            ledger.judge(`${name} ${key}`, key, typeof found === "string" ? found : undefined, promisedMs);
        }
    }
    client.close();
}

// Where it has to be proven, a machine that cannot do it is a failure.
test.skipIf(!canMount && process.env.CI === undefined)(
    `a server on a file system that forgets, fails and takes parts of writes keeps its word: ${ROUNDS} rounds of seed ${SEED}`,
    {
        timeout: 60_000 + ROUNDS * 30_000,
    },
    async () => {
        const random = new Random(SEED);
        const machine = new Machine(random);
        const ledgers = new Map(NAMES.map((name) => [name, new KeyLedger()] as const));
        try {
            await machine.start();
            await prepare(machine.socket);
            let cutMs = performance.now();
            for (let round = 0; round < ROUNDS; round++) {
                await machine.losePower();
                const mount = await machine.start();
                expect(machine.lines, `round ${round}`).not.toContain("read-only");
                await verify(machine.socket, ledgers, cutMs);
                mount.shortWrites = 0.05;
                // A failed sync keeps the promise of what was acknowledged before it only when the disk comes back.
                if (random.chance(0.3)) mount.trouble = { ...NO_TROUBLE, write: 0.01 };
                const writers = NAMES.flatMap((name) => {
                    const ledger = ledgers.get(name);
                    return ledger ? [write(machine.socket, name, ledger, random)] : [];
                });
                await new Promise((resolve) => setTimeout(resolve, random.whole(50, 2 * INTERVAL_MS)));
                cutMs = performance.now();
                mount.isDead = true;
                await machine.losePower();
                await Promise.all(writers);
                await machine.start();
            }
            expect([...ledgers.values()].reduce((sum, { acknowledged }) => sum + acknowledged, 0)).toBeGreaterThan(0);
        } finally {
            await machine.end();
        }
    },
);
