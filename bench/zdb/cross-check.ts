import { spawnSync } from "node:child_process";
import * as path from "node:path";
import type { Bench } from "./bench.ts";
import { LOAD_CORE } from "./places.ts";
import { startServer } from "./servers.ts";

/** What redis-benchmark, which is not ours, says of SET and GET with 512 B and 50 clients: lines for beside the table. */
export async function crossCheck(bench: Bench): Promise<string[]> {
    const lines: string[] = [];
    for (const make of ["zdb", "redis"] as const) {
        const server = await startServer(make, path.join(bench.directory, `check-${make}`), bench.redis);
        const options = ["-c", "50", "-d", "512", "-r", String(bench.keys), "-n", String(bench.keys * 3), "-t", "set,get", "--csv"];
        for (const pipeline of [1, 16]) {
            const argv = ["-c", String(LOAD_CORE), "redis-benchmark", "-p", String(server.port), "-P", String(pipeline), ...options];
            const { stdout } = spawnSync("taskset", argv, { encoding: "utf8" });
            const rates = [...stdout.matchAll(/^"(SET|GET)","([\d.]+)"/gm)].map(
                ([, name, rate]) => `${name} ${Math.round(Number(rate))}/s`,
            );
            lines.push(`redis-benchmark, ${make}, pipeline ${pipeline}: ${rates.join(", ")}`);
        }
        await server.stop();
    }
    return lines;
}
