/**
 * What the index of a Zero-DB costs: private memory of many keys, the longest pause while they are loaded, and how long a server takes to
 * start with them, with its checkpoint and without. `bun bench/zdb-index.ts <empty directory> [keys] [user|seq]`
 */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const [directory = "", keysText = "5000000", mode = "user"] = process.argv.slice(2);
const KEYS = Number(keysText);
const VALUE_BYTES = 64;
const IN_FLIGHT = 2000;
const PING_EVERY_MS = 2;
/** Enough for garbage to be collected. */
const REST_MS = 3000;
const MIB = 1024 * 1024;

if (directory === "" || fs.readdirSync(directory).length > 0) throw new Error("give an empty directory");
const socket = path.join(directory, "zdb.sock");
const index = path.join(directory, "index");
/** Private memory of a server without keys. */
let idleBytes = 0;

interface Running {
    readonly child: ChildProcess;
    /** What the processors worked for it; less than the time when others work too, more when several do. */
    readonly cpuMs: number;
    readonly startMs: number;
}

function start(): Promise<Running> {
    const startedMs = performance.now();
    const data = path.join(directory, "data");
    const argv = ["engines/zdb/standalone.ts", "--data", data, "--index", index, "--socket", socket, "--mode", mode];
    const child = spawn(path.join(ROOT, "node_modules/.bin/bun"), argv, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    return new Promise((resolve, reject) => {
        child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
        createInterface(child.stdout).on("line", (line) => {
            if (line === "ready") resolve({ child, startMs: performance.now() - startedMs, cpuMs: cpuMs(child) });
            else console.log(`    server: ${line}`);
        });
    });
}

function stop({ child }: Running, signal: NodeJS.Signals): Promise<number> {
    const startedMs = performance.now();
    child.removeAllListeners("exit");
    return new Promise((resolve) => {
        child.once("exit", () => resolve(performance.now() - startedMs));
        child.kill(signal);
    });
}

/** User and system time, of which there are 100 ticks a second. */
function cpuMs({ pid }: ChildProcess): number {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
}

function privateBytes({ child }: Running): number {
    const text = fs.readFileSync(`/proc/${child.pid}/smaps_rollup`, "utf8");
    const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]) * 1024;
    return of("Private_Dirty");
}

const connect = (): Promise<net.Socket> =>
    new Promise((resolve, reject) => {
        const client = net.connect({ path: socket });
        client.once("connect", () => resolve(client));
        client.once("error", reject);
    });

/** Sets all keys, a new value each, and gives the time it took. */
async function load(): Promise<number> {
    const client = await connect();
    const value = "v".repeat(VALUE_BYTES);
    const startedMs = performance.now();
    let sent = 0;
    let answered = 0;
    await new Promise<void>((resolve, reject) => {
        const send = (): void => {
            let text = "";
            for (; sent < KEYS && sent - answered < IN_FLIGHT; sent++) {
                const key = mode === "user" ? `$16\r\nkey-${String(sent).padStart(12, "0")}` : "$0\r\n";
                text += `*3\r\n$3\r\nSET\r\n${key}\r\n$${VALUE_BYTES}\r\n${value}\r\n`;
            }
            if (text !== "") client.write(text);
        };
        let bytes = 0;
        const answerBytes = mode === "user" ? "$16\r\nkey-000000000000\r\n".length : "$8\r\n12345678\r\n".length;
        client.on("data", (chunk) => {
            bytes += chunk.length;
            answered = Math.floor(bytes / answerBytes);
            if (answered >= KEYS) resolve();
            else if (sent - answered < IN_FLIGHT / 2) send();
        });
        client.on("error", reject);
        send();
    });
    client.destroy();
    return performance.now() - startedMs;
}

/** Pings in a process of its own until it is told to stop, and gives the longest times. */
function pinging(): { readonly done: () => Promise<string> } {
    const program = `
        const client = require("node:net").connect({ path: process.argv[1] });
        const times = [];
        let sentMs = 0;
        const ping = () => { sentMs = performance.now(); client.write("*1\\r\\n$4\\r\\nPING\\r\\n"); };
        client.on("data", () => { times.push(performance.now() - sentMs); setTimeout(ping, ${PING_EVERY_MS}); });
        client.on("connect", ping);
        process.on("SIGTERM", () => {
            times.sort((a, b) => a - b);
            const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))].toFixed(2);
            console.log("p50 " + at(0.5) + " p99 " + at(0.99) + " p99.9 " + at(0.999) + " longest " + at(1) + " ms of " + times.length);
            process.exit(0);
        });`;
    const child = spawn(process.execPath, ["-e", program, socket], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
        text += chunk.toString();
    });
    return {
        done: () =>
            new Promise((resolve) => {
                child.once("close", () => resolve(text.trim()));
                child.kill("SIGTERM");
            }),
    };
}

function say(what: string, value: string): void {
    console.log(`${what.padEnd(44)} ${value}`);
}

const startTime = ({ startMs, cpuMs }: Running): string => `${startMs.toFixed(0)} ms (processor time ${cpuMs} ms)`;

const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, REST_MS));

function dropCaches(): void {
    fs.writeFileSync("/proc/sys/vm/drop_caches", "1");
}

function sayMemory(what: string, running: Running): void {
    const bytes = privateBytes(running);
    const text = `${(bytes / MIB).toFixed(1)} MiB, ${(bytes / KEYS).toFixed(1)} B a key, ${((bytes - idleBytes) / KEYS).toFixed(1)} without the idle server`;
    say(what, text);
}

let server = await start();
idleBytes = privateBytes(server);
say("idle: start, private memory", `${server.startMs.toFixed(0)} ms, ${(idleBytes / MIB).toFixed(1)} MiB`);
const pings = pinging();
const loadMs = await load();
say(`load of ${KEYS} keys`, `${(loadMs / 1000).toFixed(1)} s, ${Math.round(KEYS / (loadMs / 1000))}/s`);
say("PING meanwhile", await pings.done());
sayMemory("private memory at the end of the load", server);
await rest();
sayMemory("private memory at rest", server);
say("orderly stop", `${(await stop(server, "SIGTERM")).toFixed(0)} ms`);

for (const round of [1, 2]) {
    server = await start();
    say(`start with checkpoint, warm (${round})`, startTime(server));
    if (round === 1) {
        await rest();
        sayMemory("private memory at rest after start", server);
    }
    await stop(server, "SIGKILL");
}
dropCaches();
server = await start();
say("start with checkpoint, cold", startTime(server));
await stop(server, "SIGKILL");
for (const each of fs.globSync(path.join(index, "*/checkpoint*"))) fs.rmSync(each);
server = await start();
say("start without checkpoint, warm", startTime(server));
await rest();
sayMemory("private memory at rest after start", server);
await stop(server, "SIGKILL");
for (const each of fs.globSync(path.join(index, "*/*"))) fs.rmSync(each);
server = await start();
say("start without any file of the index, warm", startTime(server));
await stop(server, "SIGKILL");
for (const each of fs.globSync(path.join(index, "*/checkpoint*"))) fs.rmSync(each);
dropCaches();
server = await start();
say("start without checkpoint, cold", startTime(server));
await stop(server, "SIGKILL");
