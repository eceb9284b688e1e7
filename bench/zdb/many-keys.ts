import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench } from "./bench.ts";
import { ask } from "./control.ts";
import { cpuMicroseconds, type Figure, median, perSecond, thousands, wrongAnswers } from "./figures.ts";
import { forgetFiles } from "./file-cache.ts";
import { pingDuring } from "./pings.ts";
import { fill, runProgram } from "./run-load.ts";
import { type BenchServer, startServer } from "./servers.ts";

const NAMESPACE = "many";
const VALUE_BYTES = 64;
/** Garbage is collected and files are synced by then. */
const REST_MS = 3000;
const MIB = 1024 * 1024;
const MOST_MEMORY = 0.25;
const MOST_START = 0.1;
const LEAST_SCANNED = 1_000_000;
const NOTHING = { cpu: "", p99: "", wrong: "" };

/** Memory, start, SCAN and NSDEL with very many keys. */
export async function measureManyKeys(bench: Bench): Promise<Figure[]> {
    const { manyKeys: keys } = bench;
    const what = `${(keys / 1e6).toFixed(1)} million keys`;
    const places = { zdb: path.join(bench.directory, "many-zdb"), redis: path.join(bench.directory, "many-redis") };
    // Its log is to hold what was set, as ours does.
    const plain = ["--auto-aof-rewrite-percentage", "0"];

    let redis = await startServer("redis", places.redis, bench.redis, plain);
    const redisFill = await fill(redis, { keys, valueBytes: VALUE_BYTES });
    await sleep(REST_MS);
    const redisBytes = redis.privateBytes();
    const redisScan = await scan(redis, "", keys);
    await redis.stop();
    const redisStarts: number[] = [];
    for (let round = 0; round < Math.min(3, bench.rounds); round++) {
        redis = await startServer("redis", places.redis, bench.redis, plain);
        redisStarts.push(redis.startMs);
        await redis.stop("SIGKILL");
    }
    forgetFiles(places.redis);
    redis = await startServer("redis", places.redis, bench.redis, plain);
    const redisColdMs = redis.startMs;
    await redis.stop("SIGKILL");
    fs.rmSync(places.redis, { recursive: true });
    const redisMs = median(redisStarts);

    let ours = await startServer("zdb", places.zdb, bench.redis);
    await ask(ours, "NSNEW", NAMESPACE);
    const oursFill = await fill(ours, { keys, valueBytes: VALUE_BYTES, namespace: NAMESPACE });
    await sleep(REST_MS);
    const oursBytes = ours.privateBytes();
    await ours.stop();
    const restart = async (): Promise<BenchServer> => {
        await ours.stop("SIGKILL");
        return startServer("zdb", places.zdb, bench.redis);
    };
    const timeStarts = async (prepare: () => void): Promise<number> => {
        const times: number[] = [];
        for (let round = 0; round < bench.rounds; round++) {
            prepare();
            ours = await restart();
            times.push(ours.startMs);
        }
        return median(times);
    };
    const warmMs = await timeStarts(() => undefined);
    const coldMs = await timeStarts(() => forgetFiles(places.zdb));
    const bareMs = await timeStarts(() => removeCheckpoints(places.zdb));
    const bareColdMs = await timeStarts(() => {
        removeCheckpoints(places.zdb);
        forgetFiles(places.zdb);
    });
    const scans = [];
    for (let round = 0; round < bench.rounds; round++) scans.push(await scan(ours, NAMESPACE, keys));
    const oursScan = median(scans);
    const removed = await pingDuring(ours, `NSDEL of ${what}`, 2, () => ask(ours, "NSDEL", NAMESPACE));
    await ours.stop("SIGKILL");

    const startFigure = (how: string, ms: number, redisTime: number, most: number | undefined): Figure => ({
        what: `start with ${what}, ${how}`,
        ours: `${(ms / 1000).toFixed(2)} s`,
        redis: `${(redisTime / 1000).toFixed(2)} s`,
        ratio: `${(ms / redisTime).toFixed(3)} x`,
        aim: most === undefined ? `<= ${MOST_START} x` : `<= ${most} s`,
        isMet: most === undefined ? ms <= MOST_START * redisTime : ms <= most * 1000,
        ...NOTHING,
    });
    return [
        {
            what: `loading ${what} of 16 B with 64 B, 8 clients, pipeline 64`,
            ours: thousands(perSecond(oursFill)),
            redis: thousands(perSecond(redisFill)),
            ratio: `${(perSecond(oursFill) / perSecond(redisFill)).toFixed(2)} x`,
            aim: "",
            isMet: undefined,
            cpu: `${cpuMicroseconds(oursFill).toFixed(1)}, ${cpuMicroseconds(redisFill).toFixed(1)}`,
            p99: "",
            wrong: wrongAnswers([oursFill, redisFill]),
        },
        {
            what: `private memory, ${what} of 16 B with 64 B`,
            ours: `${(oursBytes / MIB).toFixed(0)} MiB`,
            redis: `${(redisBytes / MIB).toFixed(0)} MiB`,
            ratio: `${(oursBytes / redisBytes).toFixed(3)} x`,
            aim: `<= ${MOST_MEMORY} x`,
            isMet: oursBytes <= MOST_MEMORY * redisBytes,
            ...NOTHING,
        },
        startFigure("warm", warmMs, redisMs, undefined),
        startFigure("cold", coldMs, redisColdMs, undefined),
        startFigure("warm, without checkpoint", bareMs, redisMs, 3),
        startFigure("cold, without checkpoint", bareColdMs, redisColdMs, 3),
        {
            what: `SCAN of ${what}`,
            ours: thousands(oursScan),
            redis: `${thousands(redisScan)} (COUNT 8192)`,
            ratio: `${(oursScan / redisScan).toFixed(2)} x`,
            aim: `>= ${thousands(LEAST_SCANNED)}`,
            isMet: oursScan >= LEAST_SCANNED,
            ...NOTHING,
        },
        removed,
    ];
}

/** Keys a second. Redis may list a key twice. */
async function scan({ port, make }: BenchServer, namespace: string, expected: number): Promise<number> {
    const { keys, ms } = JSON.parse(await runProgram("bench/zdb/load/scan.ts", [String(port), namespace, make]));
    if (keys < expected) throw new Error(`SCAN of ${make} found ${keys} keys of ${expected}`);
    return keys / (ms / 1000);
}

function removeCheckpoints(directory: string): void {
    for (const file of fs.globSync(path.join(directory, "index/*/checkpoint*"))) fs.rmSync(file);
}
