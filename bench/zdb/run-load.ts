import { spawn } from "node:child_process";
import type { LoadJob, LoadResult } from "./load/job.ts";
import { BUN, LOAD_CORE, ROOT } from "./places.ts";
import type { BenchServer } from "./servers.ts";

let seed = 1;

const USUAL: Omit<LoadJob, "port" | "serverPid" | "seed" | "command" | "keys"> = {
    mode: "user",
    namespace: "",
    clients: 50,
    pipeline: 1,
    valueBytes: 512,
    isFill: false,
    ratePerSecond: 0,
    warmUpSeconds: 0.5,
    seconds: 3,
    keysPerRequest: 1,
};

export type Load = Partial<LoadJob> & Pick<LoadJob, "command" | "keys">;

/** Runs the generator on its core and gives what it saw. Throws when it got errors for answers. */
export async function runLoad({ port, pid }: BenchServer, load: Load, before: readonly string[] = []): Promise<LoadResult> {
    const job: LoadJob = { ...USUAL, port, serverPid: pid, seed: seed++, ...load };
    const text = await runProgram("bench/zdb/load/main.ts", [JSON.stringify(job)], before);
    const result: LoadResult = JSON.parse(text);
    if (result.errors > 0)
        throw new Error(`${result.errors} of ${result.requests} answers to ${job.command} are errors: ${result.firstError}`);
    return result;
}

/** Runs one of our programs under Bun on the core of the load, and gives what it printed. `before` is put before it: chrt, say. */
export function runProgram(program: string, args: readonly string[], before: readonly string[] = []): Promise<string> {
    const argv = ["-c", String(LOAD_CORE), ...before, BUN, program, ...args];
    const child = spawn("taskset", argv, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    let [text, words] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
        text += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
        words += chunk.toString();
    });
    return new Promise((resolve, reject) => {
        child.once("close", (code) => (code === 0 ? resolve(text) : reject(new Error(`${program} ended with ${code}: ${words}`))));
    });
}

/** All keys once, in order, a new value each. Ids are given out in the order of the one client that asks for them. */
export function fill(server: BenchServer, load: Omit<Load, "command">): Promise<LoadResult> {
    const clients = load.mode === "seq" ? 1 : 8;
    return runLoad(server, { clients, pipeline: 64, ...load, command: "SET", isFill: true, warmUpSeconds: 0 });
}
