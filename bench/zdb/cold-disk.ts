import * as path from "node:path";
import type { Bench } from "./bench.ts";
import { type Figure, perSecond, thousands } from "./figures.ts";
import { pingDuring } from "./pings.ts";
import { fill, runLoad } from "./run-load.ts";
import { startServer } from "./servers.ts";

const VALUE_BYTES = 512;
const CLIENTS = [1, 8, 64, 256];
/** While others are served, so many wait for the disk. */
const CLIENTS_BESIDE_PINGS = 64;

/** GET of data four times as large as memory on a disk that answers after 5 ms, and what PING feels of it. */
export async function measureColdDisk(bench: Bench): Promise<Figure[]> {
    const { keys, seconds } = bench;
    const script = "bench/zdb/delayed-server.ts";
    const server = await startServer("zdb", path.join(bench.directory, "cold"), bench.redis, [], script);
    try {
        await fill(server, { keys, valueBytes: VALUE_BYTES });
        const load = { command: "GET", keys, valueBytes: VALUE_BYTES, seconds } as const;
        const rates: number[] = [];
        let misses = 0;
        for (const clients of CLIENTS) {
            const result = await runLoad(server, { ...load, clients });
            rates.push(perSecond(result));
            misses += result.misses;
        }
        const grows = rates.every((rate, place) => place === 0 || rate > (rates[place - 1] ?? 0));
        const pings = await pingDuring(server, "GET of data 4 x memory on a disk delayed by 5 ms", seconds, () =>
            runLoad(server, { ...load, clients: CLIENTS_BESIDE_PINGS, seconds: seconds + 1 }),
        );
        return [
            pings,
            {
                what: `GET of data 4 x memory on a disk delayed by 5 ms, ${CLIENTS.join(", ")} clients`,
                ours: rates.map(thousands).join(", "),
                redis: "",
                ratio: "",
                aim: "grows with clients",
                isMet: grows,
                cpu: "",
                p99: "",
                wrong: `0, ${misses}`,
            },
        ];
    } finally {
        await server.stop();
    }
}
