import * as path from "node:path";
import type { Bench } from "./bench.ts";
import type { Figure } from "./figures.ts";
import { bytesBelow } from "./file-cache.ts";
import { fill, runLoad } from "./run-load.ts";
import { type BenchServer, startServer } from "./servers.ts";

const MOST_P99_MS = 5;
const PINGS_PER_SECOND = 1000;
const PING_CLIENTS = 16;
const MIB = 1024 * 1024;
const LARGE = { keys: 40, valueBytes: 8 * MIB };
const LARGE_CLIENTS = 4;
/** Values that are overwritten at this rate, so that a segment becomes garbage every two seconds. */
const OVERWRITTEN = { keys: 20_000, valueBytes: 4096, ratePerSecond: 8000 };
/** Ahead of the load on the same core, whose work is not what is measured. */
const BEFORE = ["chrt", "-f", "5"];

/** PING while `other` work is done for other clients. */
export async function pingDuring(server: BenchServer, what: string, seconds: number, other: () => Promise<unknown>): Promise<Figure> {
    const load = { command: "PING", keys: 1, clients: PING_CLIENTS, ratePerSecond: PINGS_PER_SECOND, seconds } as const;
    const pinging = runLoad(server, load, BEFORE);
    const [pings] = await Promise.all([pinging, other()]);
    return {
        what: `PING p99 during ${what}`,
        ours: `${pings.p99Ms.toFixed(2)} ms (longest ${pings.longestMs.toFixed(1)})`,
        redis: "",
        ratio: "",
        aim: `<= ${MOST_P99_MS} ms`,
        isMet: pings.p99Ms <= MOST_P99_MS,
        cpu: "",
        p99: "",
        wrong: `${pings.nils}, ${pings.misses}`,
    };
}

export async function measurePingsDuringLargeReads(bench: Bench): Promise<Figure> {
    const server = await startServer("zdb", path.join(bench.directory, "large"), bench.redis);
    try {
        await fill(server, { ...LARGE, clients: 1, pipeline: 1 });
        const seconds = bench.seconds * 2;
        const load = { command: "MGET", ...LARGE, keysPerRequest: LARGE.keys, clients: LARGE_CLIENTS, seconds: seconds + 2 } as const;
        let gigabytes = 0;
        const figure = await pingDuring(server, "", seconds, async () => {
            const { requests, seconds: took } = await runLoad(server, load);
            gigabytes = (requests * LARGE.keys * LARGE.valueBytes) / took / 1e9;
        });
        return { ...figure, what: `PING p99 while ${LARGE_CLIENTS} clients MGET 40 x 8 MiB (${gigabytes.toFixed(2)} GB/s)` };
    } finally {
        await server.stop();
    }
}

export async function measurePingsDuringCompaction(bench: Bench): Promise<Figure> {
    const server = await startServer("zdb", path.join(bench.directory, "overwritten"), bench.redis);
    try {
        await fill(server, OVERWRITTEN);
        const seconds = bench.seconds * 5;
        let written = 0;
        const figure = await pingDuring(server, "", seconds, async () => {
            const { requests } = await runLoad(server, { command: "SET", ...OVERWRITTEN, seconds: seconds + 1 });
            written = (requests + OVERWRITTEN.keys) * OVERWRITTEN.valueBytes;
        });
        const kept = bytesBelow(path.join(server.directory, "data"));
        const volume = `${(written / MIB).toFixed(0)} MiB set, ${(kept / MIB).toFixed(0)} MiB on disk`;
        return { ...figure, what: `PING p99 during compaction (${volume})` };
    } finally {
        await server.stop();
    }
}
