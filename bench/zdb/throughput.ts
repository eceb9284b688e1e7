import * as path from "node:path";
import type { Bench } from "./bench.ts";
import { cpuMicroseconds, type Figure, median, perSecond, thousands, wrongAnswers } from "./figures.ts";
import type { LoadJob, LoadResult } from "./load/job.ts";
import { fill, runLoad } from "./run-load.ts";
import { type BenchServer, startServer } from "./servers.ts";

/** What is asked of one cell beside Redis. */
export interface Cell {
    readonly command: "SET" | "GET";
    readonly valueBytes: number;
    readonly pipeline: number;
    readonly mode: LoadJob["mode"];
    /** Least share of Redis's throughput. */
    readonly least: number | undefined;
    /** Least throughput. */
    readonly leastPerSecond?: number;
    /** Writes are on disk when they are answered. */
    readonly commits?: boolean;
    /** Times of answers count too. */
    readonly hasTimes?: boolean;
}

/** Times of answers are compared at this share of what the slower of the two can do. */
const PACE = 0.5;
/** No worse than so many times Redis's. */
const MOST_P99_TIMES = 2;

export const CELLS: Readonly<Record<string, Cell>> = {
    set512: { command: "SET", valueBytes: 512, pipeline: 1, mode: "user", least: 1, hasTimes: true },
    get512: { command: "GET", valueBytes: 512, pipeline: 1, mode: "user", least: 1, hasTimes: true },
    set64: { command: "SET", valueBytes: 64, pipeline: 1, mode: "user", least: undefined, leastPerSecond: 50_000 },
    get64: { command: "GET", valueBytes: 64, pipeline: 1, mode: "user", least: undefined, leastPerSecond: 50_000 },
    set512x16: { command: "SET", valueBytes: 512, pipeline: 16, mode: "user", least: 1.2 },
    get512x16: { command: "GET", valueBytes: 512, pipeline: 16, mode: "user", least: 0.5 },
    seqset512: { command: "SET", valueBytes: 512, pipeline: 1, mode: "seq", least: 1, hasTimes: true },
    seqget512: { command: "GET", valueBytes: 512, pipeline: 1, mode: "seq", least: 1, hasTimes: true },
    commit: { command: "SET", valueBytes: 512, pipeline: 1, mode: "user", least: 1.1, commits: true },
};

interface Pair<T> {
    readonly ours: T;
    readonly redis: T;
}

/** One cell: both servers take turns, and the medians count. */
export async function measureCell(bench: Bench, name: string, cell: Cell): Promise<Figure> {
    const servers = await startPair(bench, name, cell);
    try {
        const full = await rounds(bench, servers, cell, 0);
        const pace = PACE * Math.min(median(full.ours.map(perSecond)), median(full.redis.map(perSecond)));
        const paced = cell.hasTimes ? await rounds(bench, servers, cell, pace) : undefined;
        return figureOf(cell, full, paced, pace);
    } finally {
        await servers.ours.stop();
        await servers.redis.stop();
    }
}

async function startPair(bench: Bench, name: string, { commits, mode, valueBytes }: Cell): Promise<Pair<BenchServer>> {
    const place = (make: string): string => path.join(bench.directory, `${name}-${make}`);
    const ours = await startServer("zdb", place("zdb"), bench.redis, ["--mode", mode, ...(commits ? ["--sync"] : [])]);
    await fill(ours, { keys: bench.keys, valueBytes, mode });
    ours.pause();
    const redis = await startServer("redis", place("redis"), bench.redis, ["--appendfsync", commits ? "always" : "everysec"]);
    await fill(redis, { keys: bench.keys, valueBytes });
    redis.pause();
    return { ours, redis };
}

async function rounds(bench: Bench, servers: Pair<BenchServer>, cell: Cell, ratePerSecond: number): Promise<Pair<LoadResult[]>> {
    const results: Pair<LoadResult[]> = { ours: [], redis: [] };
    for (let round = 0; round < bench.rounds; round++) {
        for (const side of ["ours", "redis"] as const) {
            const server = servers[side];
            server.goOn();
            const { command, valueBytes, pipeline } = cell;
            const mode = side === "ours" ? cell.mode : "user";
            const load = { command, valueBytes, pipeline, mode, keys: bench.keys, ratePerSecond, seconds: bench.seconds };
            results[side].push(await runLoad(server, load));
            server.pause();
        }
    }
    return results;
}

function figureOf(cell: Cell, full: Pair<LoadResult[]>, paced: Pair<LoadResult[]> | undefined, pace: number): Figure {
    const [ours, redis] = [median(full.ours.map(perSecond)), median(full.redis.map(perSecond))];
    // Of the two runs of a round, which the rest of the machine disturbed alike.
    const ratio = median(full.ours.map((each, round) => perSecond(each) / perSecond(full.redis[round] ?? each)));
    const p99 = paced && { ours: median(paced.ours.map((each) => each.p99Ms)), redis: median(paced.redis.map((each) => each.p99Ms)) };
    const { least, leastPerSecond } = cell;
    const isMet =
        (least === undefined || ratio >= least) &&
        (leastPerSecond === undefined || ours >= leastPerSecond) &&
        (p99 === undefined || p99.ours <= MOST_P99_TIMES * p99.redis);
    const all = [...full.ours, ...full.redis, ...(paced ? [...paced.ours, ...paced.redis] : [])];
    const cpu = (results: readonly LoadResult[]): string => median(results.map(cpuMicroseconds)).toFixed(1);
    return {
        what: nameOf(cell),
        ours: thousands(ours),
        redis: thousands(redis),
        ratio: `${ratio.toFixed(2)} x`,
        aim: aimOf(cell),
        isMet,
        cpu: `${cpu(full.ours)}, ${cpu(full.redis)}`,
        p99: p99 ? `${p99.ours.toFixed(2)}, ${p99.redis.toFixed(2)} at ${thousands(pace)}` : "",
        wrong: wrongAnswers(all),
    };
}

function nameOf({ command, valueBytes, pipeline, mode, commits }: Cell): string {
    const words = [`${command} ${valueBytes} B`, "50 clients"];
    if (pipeline > 1) words.push(`pipeline ${pipeline}`);
    if (mode === "seq") words.push("sequential mode");
    if (commits) words.push("`commit` beside `appendfsync always`");
    return words.join(", ");
}

function aimOf({ least, leastPerSecond, hasTimes }: Cell): string {
    const aims = [];
    if (least !== undefined) aims.push(`>= ${least} x`);
    if (leastPerSecond !== undefined) aims.push(`>= ${thousands(leastPerSecond)}`);
    if (hasTimes) aims.push(`p99 <= ${MOST_P99_TIMES} x`);
    return aims.join(", ");
}
