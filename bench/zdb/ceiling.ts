import { spawn } from "node:child_process";
import { once } from "node:events";
import { perSecond, thousands } from "./figures.ts";
import { BUN, ROOT, SERVER_CORE } from "./places.ts";
import { runLoad } from "./run-load.ts";
import type { BenchServer } from "./servers.ts";

/** A SET of 16 + 512 bytes on the wire. */
const REQUEST_BYTES = 556;
const PORT = 21_690;

/** What the generator reaches with a server that only counts bytes: figures near it would be the generator's. */
export async function ceilingOf(seconds: number): Promise<string> {
    const echo = spawn("taskset", ["-c", String(SERVER_CORE), BUN, "bench/zdb/load/echo.ts", String(PORT), String(REQUEST_BYTES)], {
        cwd: ROOT,
        stdio: ["ignore", "pipe", "inherit"],
    });
    try {
        await once(echo.stdout, "data");
        const server = { port: PORT, pid: echo.pid ?? 0 } as BenchServer;
        const words: string[] = [];
        for (const pipeline of [1, 16]) {
            const result = await runLoad(server, { command: "SET", keys: 1000, pipeline, seconds });
            const share = Math.round(result.ownCpuShare * 100);
            words.push(`${thousands(perSecond(result))} with pipeline ${pipeline} (its core is busy for ${share} %)`);
        }
        return `The generator reaches ${words.join(", ")} with a server that only counts bytes.`;
    } finally {
        echo.kill("SIGKILL");
    }
}
