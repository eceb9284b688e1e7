import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Random } from "../faults/random.ts";
import { KeyLedger } from "./key-ledger.ts";
import { type Reply, RespClient } from "./resp-client.ts";

/**
 * `npm run soak:zdb [minutes]`: mixed load on a real server with compaction, scans, deletions, namespaces that come and go, clients that
 * reconnect and restarts; then every key of every client is compared. `ZEROFORM_SEED` repeats the choices, not the timing.
 */
const MINUTES = Number(process.argv[2] ?? 10);
const SEED = Number(process.env.ZEROFORM_SEED ?? 1);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const KEYS_A_CLIENT = 400;
const CLIENTS_A_NAMESPACE = 4;
const NAMESPACES = ["default", "interval", "commit"] as const;
const RESTART_EACH_MS = 45_000;

const random = new Random(SEED);
const directory = fs.mkdtempSync(path.join(os.tmpdir(), "zdb-soak-"));
const socket = path.join(directory, "s");
const counts = { sets: 0, deletions: 0, gets: 0, scans: 0, reconnects: 0, restarts: 0, namespaces: 0, checked: 0 };
let isOver = false;
/** Resolved once the server that is being started again answers. */
let restarting: Promise<void> | undefined;
let stopServer: () => Promise<void> = async () => undefined;

interface Client {
    readonly namespace: string;
    readonly name: string;
    readonly ledger: KeyLedger;
}

async function startServer(): Promise<void> {
    const argv = ["--data", path.join(directory, "data"), "--index", path.join(directory, "index"), "--socket", socket];
    const program = [path.join(ROOT, "engines/zdb/standalone.ts"), ...argv, "--datasize", "2M"];
    const child = spawn(path.join(ROOT, "node_modules/.bin/bun"), program, { stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const ready = new Promise<void>((resolve, reject) => {
        for (const stream of [child.stdout, child.stderr]) {
            createInterface(stream).on("line", (line) => {
                if (line === "ready") resolve();
                else if (/read-only|not available|damaged|cut /.test(line)) reject(new Error(line));
            });
        }
        void ended.then((code) => reject(new Error(`the server ended with ${code}`)));
    });
    await ready;
    stopServer = async () => {
        child.kill(random.chance(0.5) ? "SIGKILL" : "SIGTERM");
        await ended;
    };
}

async function connected(namespace: string): Promise<RespClient> {
    for (;;) {
        await restarting;
        try {
            const client = await RespClient.connect({ path: socket });
            const answer = await client.call("SELECT", namespace);
            if (isStatus(answer)) return client;
            client.close();
        } catch {
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
    }
}

const isStatus = (answer: Reply): boolean => typeof answer === "object" && answer !== null && "status" in answer;

/** One command of one client after the other; a connection that breaks is made again. */
async function work(client: Client): Promise<void> {
    let connection = await connected(client.namespace);
    while (!isOver) {
        try {
            await step(client, connection);
            if (!random.chance(0.002)) continue;
            connection.close();
        } catch (error) {
            if (error instanceof WrongAnswer) throw error;
            connection.close();
        }
        counts.reconnects++;
        connection = await connected(client.namespace);
    }
    connection.close();
}

class WrongAnswer extends Error {}

async function step({ name, ledger }: Client, connection: RespClient): Promise<void> {
    const key = `${name}-${random.whole(0, KEYS_A_CLIENT)}`;
    const dice = random.fraction();
    if (dice < 0.55) {
        const value = ledger.newValue(random.pick([0, 60, 500, 4000, 60_000]));
        const tried = ledger.tries(key, value);
        const answer = await connection.call("SET", key, value);
        if (answer !== key) throw new WrongAnswer(`SET ${key}: ${JSON.stringify(answer)}`);
        tried.ackedMs = performance.now();
        counts.sets++;
    } else if (dice < 0.7) {
        const tried = ledger.tries(key, undefined);
        await connection.call("DEL", key);
        tried.ackedMs = performance.now();
        counts.deletions++;
    } else if (dice < 0.995) {
        const found = await connection.call("GET", key);
        ledger.judge(key, key, typeof found === "string" ? found : undefined, performance.now());
        counts.gets++;
    } else {
        await connection.call(random.chance(0.5) ? "SCAN" : "RSCAN");
        counts.scans++;
    }
}

/** Namespaces come and go. */
async function churn(): Promise<void> {
    for (let number = 0; !isOver; number++) {
        const admin = await connected("default");
        try {
            const name = `brief-${number % 3}`;
            await admin.call("NSNEW", name);
            await admin.call("SELECT", name);
            for (let place = 0; place < 50; place++) await admin.call("SET", `${place}`, "v".repeat(5000));
            await admin.call("SELECT", "default");
            await admin.call("NSDEL", name);
            counts.namespaces++;
        } catch {
            // The server was started anew.
        }
        admin.close();
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

async function restarts(): Promise<void> {
    let next = performance.now() + RESTART_EACH_MS;
    while (!isOver) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        if (performance.now() < next || isOver) continue;
        restarting = stopServer().then(startServer);
        await restarting;
        restarting = undefined;
        counts.restarts++;
        next = performance.now() + RESTART_EACH_MS;
    }
}

async function verify(clients: readonly Client[]): Promise<void> {
    for (const { namespace, ledger } of clients) {
        const connection = await connected(namespace);
        for (const key of ledger.keys()) {
            const found = await connection.call("GET", key);
            ledger.judge(`${namespace} ${key}`, key, typeof found === "string" ? found : undefined, performance.now());
            counts.checked++;
        }
        connection.close();
    }
    const connection = await connected("default");
    for (const name of NAMESPACES) {
        const info = await connection.call("NSINFO", name);
        if (!String(info).includes("state: ok\n")) throw new Error(`${name}: ${String(info)}`);
    }
    connection.close();
}

const clients = NAMESPACES.flatMap((namespace) =>
    Array.from({ length: CLIENTS_A_NAMESPACE }, (_, number) => ({ namespace, name: `${namespace}-${number}`, ledger: new KeyLedger() })),
);
try {
    await startServer();
    const admin = await connected("default");
    for (const [name, durability] of [
        ["interval", "interval 100ms"],
        ["commit", "commit"],
    ] as const) {
        await admin.call("NSNEW", name);
        await admin.call("NSSET", name, "durability", durability);
    }
    admin.close();
    setTimeout(() => {
        isOver = true;
    }, MINUTES * 60_000);
    await Promise.all([...clients.map(work), churn(), restarts()]);
    await verify(clients);
    restarting = stopServer().then(startServer);
    await restarting;
    await verify(clients);
    console.log(`${MINUTES} minutes, seed ${SEED}: ${JSON.stringify(counts)}`);
    await stopServer();
} finally {
    fs.rmSync(directory, { recursive: true, force: true });
}
