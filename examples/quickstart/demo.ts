// Runs this example on three test hosts and proves, step by step, what it is for. `npm run demo`; `-- --keep` leaves it running.
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis, type RedisOptions } from "ioredis";
import { type HostInfo, powerOff, powerOn, up } from "../../dev/hosts/index.ts";
import { machineOf, proveNothingLeft } from "../demo-hosts.ts";
import { note, run, step } from "../demo-stage.ts";
import { demonstrate, stageOf } from "../demonstration.ts";

const HOSTS = 3;
/** Longer than any machine takes to start its systemd, mounts and stores. */
const HEAL_LIMIT_MS = 60_000;

interface Stores {
    readonly [machine: string]: { readonly path: string; readonly events: string; readonly ledger: string };
}

const here = dirname(fileURLToPath(import.meta.url));
const stage = stageOf({
    command: "npm run demo",
    about: "Three test hosts on this machine, a Pulumi program on them, changes, a power loss, and a clean end.",
    prefix: "demo",
    folder: here,
    toys: (prefix) => ["pulumi up", "npx zeroform status", `npx zeroform dev ssh ${prefix}-1`],
});
const { prefix, stack } = stage;

await demonstrate(stage, { tell, end });

async function tell(): Promise<readonly HostInfo[]> {
    const hosts = await step(`${HOSTS} hosts on this machine: own systemd, own sshd, own disk`, async () => {
        const made = await up({ prefix, count: HOSTS });
        for (const { name, address } of made) note(`${name} at ${address}`);
        return made;
    });

    await step("pulumi up: an agent, a disk and two key-value stores on each", async () => {
        await mkdir(stage.work, { recursive: true });
        await stack(["stack", "init", prefix], { quiet: true });
        await configure(hosts);
        await stack(["up", "--yes", "--skip-preview"]);
    });
    const before = await stores();
    await step("write and read through ioredis", () => writeEverywhere(before));

    await step("nothing to do: a second preview and a refresh change nothing", async () => {
        await stack(["preview", "--expect-no-changes"], { quiet: true });
        await stack(["refresh", "--yes", "--skip-preview", "--expect-no-changes"], { quiet: true });
        note("no changes in either");
    });

    await step("grow every disk and rotate a password in place, with a client writing all the while", async () => {
        const writing = keepWriting(before);
        await stack(["config", "set", "diskSize", "512MiB"], { quiet: true });
        await run("pulumi", ["config", "set", "--secret", "eventsPassword"], {
            cwd: here,
            env: stack.environment,
            input: randomBytes(18).toString("base64url"),
        });
        await stack(["up", "--yes", "--skip-preview"]);
        const written = await writing.stop();
        note(`${written} writes to the ledgers meanwhile: every one that was acknowledged is there`);
        await proveRotation(before, await stores());
    });

    await step("power loss: everything on one host is killed at once, then it starts again; nobody touches it", async () => {
        const victim = hosts[1] as HostInfo;
        await powerOff(victim.name);
        note(`${victim.name} is off`);
        const started = Date.now();
        await powerOn(victim.name);
        await proveValues(await stores(), HEAL_LIMIT_MS);
        note(`${victim.name} serves its data again ${((Date.now() - started) / 1000).toFixed(1)} s after power came back`);
    });
    return hosts;
}

async function end(hosts: readonly HostInfo[]): Promise<void> {
    await step("pulumi destroy: nothing is left on the hosts", async () => {
        await stack(["destroy", "--yes", "--skip-preview"]);
        for (const { name } of hosts) await proveNothingLeft(name);
    });
}

async function configure(hosts: readonly HostInfo[]): Promise<void> {
    const machines = hosts.map((host) => machineOf(host.name, host));
    await writeFile(stage.config, `config:\n  quickstart:machines: ${JSON.stringify(machines)}\n`);
}

async function stores(): Promise<Stores> {
    return JSON.parse(await stack(["stack", "output", "store", "--json", "--show-secrets"], { quiet: true })) as Stores;
}

async function writeEverywhere(all: Stores): Promise<void> {
    for (const [machine, { events, ledger }] of Object.entries(all)) {
        const [store, sequence] = [connect(events), connect(ledger)];
        await store.set("greeting", `hello from ${machine}`);
        const id = await sequence.callBuffer("SET", "", "first entry");
        note(`${machine}: greeting -> "${await store.get("greeting")}", ledger entry ${(id as Buffer).readBigUInt64LE()}`);
        for (const client of [store, sequence]) client.disconnect();
    }
}

/** A client that goes on trying while a server starts again, quietly. */
function connect(url: string, options: RedisOptions = {}): Redis {
    const client = new Redis(url, options);
    client.on("error", () => undefined);
    return client;
}

function keepWriting(all: Stores): { stop(): Promise<number> } {
    const clients = Object.values(all).map(({ ledger }) => connect(ledger, { maxRetriesPerRequest: null }));
    let written = 0;
    let going = true;
    const writers = clients.map(async (client) => {
        const ids: Buffer[] = [];
        while (going) {
            ids.push((await client.callBuffer("SET", "", `entry ${written}`)) as Buffer);
            written += 1;
        }
        for (const id of ids) if ((await client.callBuffer("GET", id)) === null) throw new Error("an acknowledged entry is gone");
        client.disconnect();
    });
    return {
        async stop() {
            going = false;
            await Promise.all(writers);
            return written;
        },
    };
}

async function proveRotation(before: Stores, after: Stores): Promise<void> {
    for (const [machine, { events }] of Object.entries(after)) {
        const old = before[machine]?.events;
        if (old === undefined || old === events) throw new Error(`${machine}: the password did not change`);
        const outdated = connect(old, { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
        const refused = await outdated
            .connect()
            .then(() => outdated.get("greeting"))
            .then(() => false)
            .catch(() => true);
        outdated.disconnect();
        if (!refused) throw new Error(`${machine}: the old password still works`);
    }
    await proveValues(after, 0);
    note("the old passwords are refused, the new ones read the same data");
}

/** Reads every greeting; until the limit, a store that is not there yet is asked again. */
async function proveValues(all: Stores, limitMs: number): Promise<void> {
    const deadline = Date.now() + limitMs;
    for (const [machine, { events }] of Object.entries(all)) {
        const client = connect(events, {
            connectTimeout: 1_000,
            retryStrategy: () => (Date.now() < deadline ? 200 : null),
            maxRetriesPerRequest: null,
        });
        const greeting = await client.get("greeting");
        client.disconnect();
        if (greeting !== `hello from ${machine}`) throw new Error(`${machine}: greeting is ${greeting}`);
    }
}
