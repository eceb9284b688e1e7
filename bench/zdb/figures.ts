import type { LoadResult } from "./load/job.ts";

/** One line of the table. */
export interface Figure {
    readonly what: string;
    readonly ours: string;
    readonly redis: string;
    readonly ratio: string;
    readonly aim: string;
    /** undefined: no aim. */
    readonly isMet: boolean | undefined;
    /** Processor time a request in microseconds: ours, Redis. */
    readonly cpu: string;
    /** 99th percentile: ours, Redis. */
    readonly p99: string;
    /** Answers that should not have been: nil, and values that were not what was set. */
    readonly wrong: string;
}

const COLUMNS = ["what", "ours", "Redis", "ratio", "aim", "ok", "CPU us: ours, Redis", "p99 ms: ours, Redis", "nil, missed"];

export function tableOf(figures: readonly Figure[]): string {
    const rows = figures.map(({ what, ours, redis, ratio, aim, isMet, cpu, p99, wrong }) => [
        what,
        ours,
        redis,
        ratio,
        aim,
        verdict(isMet),
        cpu,
        p99,
        wrong,
    ]);
    const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
    return [line(COLUMNS), line(COLUMNS.map(() => "---")), ...rows.map(line)].join("\n");
}

function verdict(isMet: boolean | undefined): string {
    if (isMet === undefined) return "";
    return isMet ? "yes" : "**no**";
}

export function median(values: readonly number[]): number {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = Math.floor(sorted.length / 2);
    const upper = sorted[middle] ?? Number.NaN;
    return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

export const perSecond = ({ requests, seconds }: LoadResult): number => requests / seconds;

export const cpuMicroseconds = ({ requests, serverCpuSeconds }: LoadResult): number => (serverCpuSeconds / requests) * 1e6;

export const wrongAnswers = (results: readonly LoadResult[]): string =>
    `${results.reduce((sum, { nils }) => sum + nils, 0)}, ${results.reduce((sum, { misses }) => sum + misses, 0)}`;

export const thousands = (value: number): string => `${(value / 1000).toFixed(1)} k/s`;
