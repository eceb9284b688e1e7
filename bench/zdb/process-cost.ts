import * as fs from "node:fs";

/** Clock ticks are 10 ms on every Linux this runs on. */
const TICKS_PER_SECOND = 100;

/** Seconds that the processors have worked for a process, its threads, and its children that have ended. */
export function cpuSeconds(pid: number): number {
    let nanoseconds = 0;
    for (const task of fs.readdirSync(`/proc/${pid}/task`)) {
        try {
            nanoseconds += Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
        } catch {
            // The thread has ended since the directory was read.
        }
    }
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return nanoseconds / 1e9 + (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

/** Memory that is this process's alone. */
export function privateBytes(pid: number): number {
    const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const kib = [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
    return kib * 1024;
}
