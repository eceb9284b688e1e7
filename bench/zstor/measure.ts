import { mostPrivateBytes } from "../../test/zstor/private-memory.ts";
import { cpuSeconds } from "../zdb/process-cost.ts";
import type { Cluster } from "./servers.ts";

export const MIB = 2 ** 20;

/** What a piece of work took. */
export interface Measured {
    readonly seconds: number;
    /** Most private memory of the front end, in MB (10^6). */
    readonly mostMb: number;
    /** Processor seconds of front end, all servers, and whoever asked. */
    readonly cpu: { readonly frontEnd: number; readonly servers: number; readonly client: number };
}

export async function measured(cluster: Cluster, work: () => Promise<unknown>): Promise<Measured> {
    const { frontEndPid } = cluster;
    const cpu = () => ({
        frontEnd: frontEndPid === 0 ? 0 : cpuSeconds(frontEndPid),
        servers: cluster.serverPids.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
        client: cpuSeconds(process.pid),
    });
    const [began, before] = [performance.now(), cpu()];
    const mostBytes = frontEndPid === 0 ? 0 : await mostPrivateBytes(frontEndPid, work);
    if (frontEndPid === 0) await work();
    const seconds = (performance.now() - began) / 1000;
    const after = cpu();
    const spent = {
        frontEnd: after.frontEnd - before.frontEnd,
        servers: after.servers - before.servers,
        client: after.client - before.client,
    };
    return { seconds, mostMb: mostBytes / 1e6, cpu: spent };
}

/** One line of the table. */
export interface Row {
    readonly what: string;
    readonly figure: string;
    readonly measured?: Measured;
    readonly aim?: string;
}

export const HEAD = ["| what | figure | aim | memory | CPU: front end, servers, client |", "|---|---|---|---|---|"];

export function lineOf({ what, figure, aim = "", measured: cost }: Row): string {
    const cpu = cost ? [cost.cpu.frontEnd, cost.cpu.servers, cost.cpu.client].map((seconds) => `${seconds.toFixed(2)} s`).join(", ") : "";
    const memory = cost && cost.mostMb > 0 ? `${cost.mostMb.toFixed(0)} MB` : "";
    return `| ${what} | ${figure} | ${aim} | ${memory} | ${cpu} |`;
}

/** Of these times, in ms: half and 99 in a hundred are not longer. */
export function percentiles(times: readonly number[]): string {
    const sorted = [...times].sort((a, b) => a - b);
    const at = (share: number) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(1);
    return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

/** MB (10^6) a second. */
export const rate = (bytes: number, seconds: number): number => bytes / 1e6 / seconds;
