// What an agent costs that has nothing to do: its own CPU and memory and PID 1's share, with 100 resources on the node.
import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { down, exec, up } from "../dev/hosts/index.ts";
import { mintSessionId } from "../protocol/ids.ts";
import { type NodeLink, NodePool } from "../provider/node/pool.ts";
import { reach } from "../schema/on-node.ts";

const PREFIX = "zfbench";
const MOUNTS = 20;
const STORES = 80;
const CREATE_LIMIT_MS = 120_000;
/** Clock ticks are 10 ms on every Linux that systemd runs on. */
const TICK_MS = 10;

const { values: options } = parseArgs({
    options: {
        minutes: { type: "string", default: "5" },
        warmup: { type: "string", default: "60" },
        help: { type: "boolean", default: false },
    },
});
if (options.help) {
    console.log(
        "npm run bench:agent [-- --minutes 5 --warmup 60]\n\nIdle cost of the agent with 100 resources (20 ZMounts, 80 Zdbs) on one test host.",
    );
    process.exit(0);
}
const minutes = Number(options.minutes);

await down({ prefix: PREFIX });
const [host] = await up({ prefix: PREFIX, count: 1 });
if (!host) throw new Error("no test host");
const pool = new NodePool({ session: mintSessionId() });
try {
    const link = await pool.link(reach.parse({ host: host.address, identityFile: host.identityFile, hostKey: host.hostKey }), {
        agent: "current",
        signal: AbortSignal.timeout(CREATE_LIMIT_MS),
    });
    await fill(link);
    console.log(`${MOUNTS + STORES} resources are ready; warming up for ${options.warmup} s, then measuring for ${minutes} min`);
    await sleep(Number(options.warmup) * 1000);

    const agent = Number((await exec(host.name, ["systemctl", "show", "-p", "MainPID", "--value", "zeroform-agent"])).stdout);
    const init = host.pid ?? 0;
    const inner = await outerPid(agent, init);
    const before = await Promise.all([cpuMs(inner), cpuMs(init), childrenMs(inner)]);
    const started = performance.now();
    await sleep(minutes * 60_000);
    const elapsed = performance.now() - started;
    const after = await Promise.all([cpuMs(inner), cpuMs(init), childrenMs(inner)]);
    const share = (index: 0 | 1 | 2) => (100 * (after[index] - before[index])) / elapsed;
    const total = share(0) + share(1) + share(2);
    const memory = await privateMiB(inner);

    console.table({
        "agent CPU": { value: `${share(0).toFixed(3)} %`, aim: "" },
        "its children's CPU": { value: `${share(2).toFixed(3)} %`, aim: "" },
        "PID 1 CPU": { value: `${share(1).toFixed(3)} %`, aim: "" },
        "all of a core": { value: `${total.toFixed(3)} %`, aim: "<= 0.5 %" },
        "private memory": { value: `${memory.toFixed(1)} MB`, aim: "<= 40 MB" },
    });
} finally {
    await pool.end();
    await down({ prefix: PREFIX });
}

async function fill(link: NodeLink): Promise<void> {
    const settings = { installPackages: true };
    const { machine, tenant } = await link.request("node.create", {
        urn: urn("Node", "bench"),
        name: "bench",
        settings,
        operation: "node",
        seen: [],
    });
    const caller = { machine, tenant, seen: [] };
    const node = `${machine}/${tenant}`;
    const make = (kind: "ZMount" | "Zdb", name: string, spec: Record<string, unknown>) =>
        link.request("resource.create", {
            caller,
            kind,
            urn: urn(kind, name),
            name,
            operation: name,
            spec: { node, ...spec },
            waitMs: CREATE_LIMIT_MS,
            trashMs: 0,
            settings,
        });
    const mounts: string[] = [];
    for (let index = 0; index < MOUNTS; index++) {
        const { life, state, reasons } = await make("ZMount", `mount-${index}`, { size: "32MiB" });
        if (state !== "ready") throw new Error(reasons.join("; "));
        mounts.push(`${node}/${life}`);
    }
    for (let index = 0; index < STORES; index++) {
        const { state, reasons } = await make("Zdb", `store-${index}`, { size: "4MiB", mount: mounts[index % 4] });
        if (state !== "ready") throw new Error(reasons.join("; "));
    }
}

function urn(kind: string, name: string): string {
    return `urn:pulumi:bench::bench::pulumi-nodejs:dynamic/zeroform:${kind}::${name}`;
}

/** A process of the host as this machine numbers it. */
async function outerPid(pid: number, init: number): Promise<number> {
    const namespace = await readlink(`/proc/${init}/ns/pid`);
    for (const entry of await readdir("/proc")) {
        if (!/^\d+$/.test(entry)) continue;
        const status = await readFile(`/proc/${entry}/status`, "utf8").catch(() => "");
        const numbers = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/).map(Number);
        if (numbers?.at(-1) === pid && (await readlink(`/proc/${entry}/ns/pid`).catch(() => "")) === namespace) return Number(entry);
    }
    throw new Error(`process ${pid} of the host is not found`);
}

async function statOf(pid: number): Promise<readonly number[]> {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    return text
        .slice(text.lastIndexOf(")") + 2)
        .split(" ")
        .map(Number);
}
async function cpuMs(pid: number): Promise<number> {
    const fields = await statOf(pid);
    return ((fields[11] ?? 0) + (fields[12] ?? 0)) * TICK_MS;
}
async function childrenMs(pid: number): Promise<number> {
    const fields = await statOf(pid);
    return ((fields[13] ?? 0) + (fields[14] ?? 0)) * TICK_MS;
}

async function privateMiB(pid: number): Promise<number> {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
    const kib = [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
    return kib / 1024;
}
