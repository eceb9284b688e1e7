import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BUN, ROOT, SERVER_CORE } from "./places.ts";
import { cpuSeconds, privateBytes } from "./process-cost.ts";

export type Make = "zdb" | "redis";

/** A server on its core, with its files in a directory of its own. */
export interface BenchServer {
    readonly make: Make;
    readonly port: number;
    readonly pid: number;
    readonly directory: string;
    /** From the start of the process until it answered. */
    readonly startMs: number;
    readonly startCpuSeconds: number;
    privateBytes(): number;
    cpuSeconds(): number;
    /** Held still, so that it takes nothing from the other one. */
    pause(): void;
    goOn(): void;
    stop(signal?: NodeJS.Signals): Promise<void>;
}

const POLL_MS = 2;
const MOST_START_MS = 300_000;
let nextPort = 21_700;
const running = new Set<ChildProcess>();
process.once("exit", () => {
    for (const child of running) child.kill("SIGKILL");
});

/** `options` are the server's own, in addition; `script` is ours. */
export async function startServer(
    make: Make,
    directory: string,
    program: string,
    options: readonly string[] = [],
    script = "engines/zdb/standalone.ts",
): Promise<BenchServer> {
    fs.mkdirSync(directory, { recursive: true });
    const port = nextPort++;
    const [file, ...argv] = make === "zdb" ? zdbCommand(script, directory, port) : redisCommand(program, directory, port);
    const startedMs = performance.now();
    const log = fs.openSync(path.join(directory, "log"), "a");
    const child = spawn("taskset", ["-c", String(SERVER_CORE), file ?? "", ...argv, ...options], {
        cwd: ROOT,
        stdio: ["ignore", log, log],
    });
    fs.closeSync(log);
    running.add(child);
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    void ended.then(() => running.delete(child));
    const { pid } = child;
    if (pid === undefined) throw new Error("taskset of util-linux is needed");
    while (!(await answersPing(port))) {
        if (child.exitCode !== null || performance.now() - startedMs > MOST_START_MS) {
            throw new Error(`${make} did not start: ${fs.readFileSync(path.join(directory, "log"), "utf8").slice(-500)}`);
        }
        await sleep(POLL_MS);
    }
    return {
        make,
        port,
        pid,
        directory,
        startMs: performance.now() - startedMs,
        startCpuSeconds: cpuSeconds(pid),
        privateBytes: () => privateBytes(pid),
        cpuSeconds: () => cpuSeconds(pid),
        pause: () => void child.kill("SIGSTOP"),
        goOn: () => void child.kill("SIGCONT"),
        async stop(signal = "SIGTERM") {
            child.kill("SIGCONT");
            child.kill(signal);
            await ended;
        },
    };
}

function zdbCommand(script: string, directory: string, port: number): string[] {
    const places = ["--data", path.join(directory, "data"), "--index", path.join(directory, "index")];
    return [BUN, script, ...places, "--port", String(port)];
}

/** No snapshots beside the log, and the log plain, as ours is. */
function redisCommand(program: string, directory: string, port: number): string[] {
    const log = ["--appendonly", "yes", "--save", "", "--aof-use-rdb-preamble", "no", "--dir", directory];
    return [program, "--port", String(port), "--bind", "127.0.0.1", ...log];
}

/** Redis answers with an error while it is loading. */
function answersPing(port: number): Promise<boolean> {
    return new Promise((resolve) => {
        const client = net.connect({ host: "127.0.0.1", port });
        const end = (answer: boolean): void => {
            client.destroy();
            resolve(answer);
        };
        client.on("connect", () => client.write("*1\r\n$4\r\nPING\r\n"));
        client.on("data", (bytes) => end(bytes.toString().startsWith("+PONG")));
        client.on("error", () => end(false));
    });
}
