import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ApiClient } from "../engines/zstor/api-client.ts";
import { systemClock } from "../engines/zstor/surroundings.ts";
import { zdbBackend } from "../engines/zstor/zdb-backend.ts";
import { RespClient } from "../test/zdb/resp-client.ts";

// The dispersed store beside its own floor: the same shard bytes into the same namespaces by a bare pipelined client, in the same run.
// `bun bench/zstor.ts [MiB of the large objects] [number of small ones]`

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const RUNTIME = join(ROOT, "node_modules/.bin/bun");
const MIB = 2 ** 20;
const BACKENDS = 7;
const REPLICAS = 4;
const SHARD_BYTES = 524_352;
const large = Number(process.argv[2] ?? 256) * MIB;
const small = Number(process.argv[3] ?? 10_000);

const directory = mkdtempSync(join(process.env.ZEROFORM_BENCH_DIR ?? tmpdir(), "bench-zstor-"));
const children: ChildProcess[] = [];
const rows: string[] = [];

function row(what: string, figure: string): void {
    rows.push(`| ${what} | ${figure} |`);
    console.log(`| ${what} | ${figure} |`);
}

function start(program: string, argv: readonly string[]): Promise<ChildProcess> {
    const child = spawn(RUNTIME, [join(ROOT, program), ...argv], { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    return new Promise((resolve, reject) => {
        if (child.stdout) createInterface(child.stdout).on("line", (line) => (line === "ready" ? resolve(child) : undefined));
        child.on("close", (code) => reject(new Error(`${program} ended with ${code}`)));
    });
}

function freePort(): Promise<number> {
    return new Promise((resolve) => {
        const probe = createServer();
        probe.listen(0, "127.0.0.1", () => {
            const address = probe.address();
            probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
        });
    });
}

/** A server for each backend; the first ones have a metadata namespace too. */
async function startServers() {
    const urls = { data: [] as string[], metadata: [] as string[], bare: [] as string[] };
    const servers: ChildProcess[] = [];
    for (let index = 0; index < BACKENDS; index++) {
        const place = join(directory, `zdb${index}`);
        mkdirSync(place);
        const [port, socket] = [await freePort(), join(place, "a")];
        const places = ["--data", join(place, "data"), "--index", join(place, "index")];
        servers.push(await start("engines/zdb/standalone.ts", [...places, "--port", String(port), "--admin-socket", socket]));
        const admin = await RespClient.connect({ path: socket });
        for (const name of ["data", "meta", "bare"]) {
            await admin.call("NSNEW", name);
            await admin.call("NSSET", name, "durability", "commit");
        }
        admin.close();
        urls.data.push(`redis://data@127.0.0.1:${port}`);
        urls.bare.push(`redis://bare@127.0.0.1:${port}`);
        if (index < REPLICAS) urls.metadata.push(`redis://meta@127.0.0.1:${port}`);
    }
    return { urls, servers };
}

/** Seconds, and what the process used meanwhile: most memory, processor seconds. */
async function measured(pid: number, work: () => Promise<void>) {
    let mostMib = 0;
    const look = () => {
        mostMib = Math.max(mostMib, Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024);
    };
    const cpu = () => {
        const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(" ");
        return (Number(fields[13]) + Number(fields[14])) / 100;
    };
    const timer = setInterval(look, 50);
    const [began, cpuBegan] = [performance.now(), cpu()];
    await work();
    const seconds = (performance.now() - began) / 1000;
    clearInterval(timer);
    return { seconds, mostMib, cpu: cpu() - cpuBegan };
}

async function* pieces(content: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < content.length; at += MIB) yield content.subarray(at, at + MIB);
}

async function floor(urls: readonly string[]): Promise<void> {
    const backends = urls.map((url) => zdbBackend(url, systemClock));
    const shards = Math.ceil((large * 1.5) / SHARD_BYTES);
    const shard = randomBytes(SHARD_BYTES);
    const keys = Array.from({ length: shards }, () => randomBytes(28));
    const each = async (work: (index: number) => Promise<unknown>) => {
        let next = 0;
        const lane = async () => {
            while (next < shards) await work(next++);
        };
        const began = performance.now();
        await Promise.all(Array.from({ length: 48 }, lane));
        return large / MIB / ((performance.now() - began) / 1000);
    };
    const write = await each((index) => {
        // Values differ, or the server would write nothing.
        const value = Buffer.from(shard);
        value.writeUInt32LE(index);
        return backends[index % urls.length]?.set(keys[index] ?? shard, value) ?? Promise.resolve();
    });
    const read = await each((index) =>
        index % 3 === 2 ? Promise.resolve() : (backends[index % urls.length]?.get(keys[index] ?? shard) ?? Promise.resolve()),
    );
    row("floor: the shards of the large object written", `${write.toFixed(0)} MB/s of user data`);
    row("floor: K of K + M of them read", `${read.toFixed(0)} MB/s of user data`);
    for (const backend of backends) backend.close();
}

async function largeObjects(socket: string, pid: number, servers: readonly ChildProcess[]): Promise<void> {
    const client = await ApiClient.open(socket);
    const contents = { random: randomBytes(large), text: textOf(large) };
    for (const [name, content] of Object.entries(contents)) {
        const put = await measured(pid, async () => {
            await client.put(name, pieces(content));
        });
        row(`put ${large / MIB} MiB of ${name}`, figure(put));
        const get = await measured(pid, () => readAll(client, name, content));
        row(`get ${large / MIB} MiB of ${name}`, figure(get));
    }
    const times: number[] = [];
    for (let round = 0; round < 200; round++) {
        const offset = Math.floor(Math.random() * (large - 131_072));
        const began = performance.now();
        for await (const _ of client.get({ op: "get", name: "random", offset, length: 131_072 }));
        times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    row("random range of 128 KiB", `p50 ${times[100]?.toFixed(1)} ms, p99 ${times[198]?.toFixed(1)} ms`);
    for (const server of servers.slice(-2)) server.kill("SIGKILL");
    const degraded = await measured(pid, () => readAll(client, "random", contents.random));
    row(`get ${large / MIB} MiB of random, 2 backends dead`, figure(degraded));
    client.close();
}

async function smallObjects(socket: string, pid: number, lanes: number, count: number): Promise<void> {
    const content = randomBytes(4096);
    let next = 0;
    const put = await measured(pid, async () => {
        const lane = async (index: number) => {
            const client = await ApiClient.open(socket);
            while (next < count) await client.put(`small/${lanes}/${index}/${next++}`, pieces(content));
            client.close();
        };
        await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
    });
    row(`put 4 KiB, ${lanes} at once`, `${(count / put.seconds).toFixed(0)} a second, ${put.mostMib.toFixed(0)} MiB`);
}

async function readAll(client: ApiClient, name: string, content: Buffer): Promise<void> {
    let at = 0;
    for await (const part of client.get({ op: "get", name })) {
        if (!part.equals(content.subarray(at, at + part.length))) throw new Error(`wrong bytes at ${at}`);
        at += part.length;
    }
    if (at !== content.length) throw new Error(`${at} of ${content.length} bytes came`);
}

function figure({ seconds, mostMib, cpu }: { seconds: number; mostMib: number; cpu: number }): string {
    return `${(large / MIB / seconds).toFixed(0)} MB/s, ${mostMib.toFixed(0)} MiB, ${((100 * cpu) / seconds).toFixed(0)} % of a core`;
}

function textOf(length: number): Buffer {
    const line = (index: number) => `${index * 7919} the quick brown fox ${index % 977} jumps over ${(index * 104_729) % 1_000_003}\n`;
    const block = Buffer.from(Array.from({ length: 40_000 }, (_, index) => line(index)).join(""));
    return Buffer.concat(Array.from({ length: Math.ceil(length / block.length) }, () => block)).subarray(0, length);
}

try {
    const { urls, servers } = await startServers();
    await floor(urls.bare);
    const socket = join(directory, "s");
    const config = {
        secret: randomBytes(16).toString("hex"),
        socket,
        view: join(directory, "view"),
        metadata: urls.metadata,
        backends: urls.data.map((url, index) => ({ url, group: `g${index}` })),
    };
    writeFileSync(join(directory, "config"), JSON.stringify(config), { mode: 0o600 });
    const { pid = 0 } = await start("engines/zstor/standalone.ts", ["serve", "--config", join(directory, "config")]);
    await smallObjects(socket, pid, 1, Math.ceil(small / 20));
    await smallObjects(socket, pid, 64, small);
    await largeObjects(socket, pid, servers);
} finally {
    for (const child of children) child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
}
process.exit(0);
