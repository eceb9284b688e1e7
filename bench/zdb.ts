// Zero-DB beside Redis in the same run: throughput, times of answers, memory, start, SCAN, and what others feel of large work.
import { parseArgs } from "node:util";
import type { Bench } from "./zdb/bench.ts";
import { ceilingOf } from "./zdb/ceiling.ts";
import { measureColdDisk } from "./zdb/cold-disk.ts";
import { crossCheck } from "./zdb/cross-check.ts";
import { type Figure, tableOf } from "./zdb/figures.ts";
import { measureManyKeys } from "./zdb/many-keys.ts";
import { measurePingsDuringCompaction, measurePingsDuringLargeReads } from "./zdb/pings.ts";
import { giveWay, loadAverage, redisProgram, temporaryDirectory } from "./zdb/places.ts";
import { CELLS, measureCell } from "./zdb/throughput.ts";

/** In the order of the table. A row may be several lines of it. */
const ROWS: Readonly<Record<string, (bench: Bench) => Promise<Figure | Figure[]>>> = {
    ...Object.fromEntries(Object.entries(CELLS).map(([name, cell]) => [name, (bench: Bench) => measureCell(bench, name, cell)])),
    many: measureManyKeys,
    mget: measurePingsDuringLargeReads,
    compaction: measurePingsDuringCompaction,
    cold: measureColdDisk,
};
/** Not a row: beside the table. */
const CHECK = "check";
const QUICK = { rounds: 1, seconds: 2, keys: 20_000, manyKeys: 500_000 };
const FULL = { rounds: 5, seconds: 4, keys: 100_000, manyKeys: 5_000_000 };

const { values: options } = parseArgs({
    options: {
        quick: { type: "boolean", default: false },
        only: { type: "string", multiple: true, default: [] },
        directory: { type: "string", default: "/var/tmp" },
        nice: { type: "string", default: "0" },
        rounds: { type: "string" },
        seconds: { type: "string" },
        help: { type: "boolean", default: false },
    },
});
if (options.help) {
    console.log(`npm run bench:zdb [-- --quick] [-- --only <row> ...] [-- --directory /var/tmp] [-- --nice=-10] [-- --rounds 5] [-- --seconds 4]

Zero-DB beside Redis: each server on one core, the load on the other, medians of ${FULL.rounds} rounds in turns. Rows: ${Object.keys(ROWS).join(" ")} ${CHECK} (redis-benchmark).
--quick: one short round and fewer keys, for work. --directory: where the servers' files go, on the disk that is meant.
--nice: priority of servers and load, for a machine that others use too.`);
    process.exit(0);
}
const unknown = options.only.find((name) => name !== CHECK && !(name in ROWS));
if (unknown !== undefined) {
    console.error(`There is no row ${unknown}: there are ${Object.keys(ROWS).join(", ")}.`);
    process.exit(1);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

giveWay(Number(options.nice));
const given = {
    ...(options.rounds === undefined ? {} : { rounds: Number(options.rounds) }),
    ...(options.seconds === undefined ? {} : { seconds: Number(options.seconds) }),
};
const directory = temporaryDirectory(options.directory);
const bench: Bench = { directory, redis: redisProgram(directory), ...(options.quick ? QUICK : FULL), ...given };
console.log(await ceilingOf(bench.seconds));
const figures: Figure[] = [];
for (const [name, measure] of Object.entries(ROWS)) {
    if (options.only.length > 0 && !options.only.includes(name)) continue;
    console.log(`${name} ... (load of the machine ${loadAverage()})`);
    const found = [await measure(bench)].flat();
    figures.push(...found);
    for (const { what, ours, redis, isMet } of found)
        console.log(`    ${what}: ${ours}; Redis ${redis || "-"}${isMet === false ? " (not met)" : ""}`);
}
console.log(`\n${tableOf(figures)}\n\nLoad of the machine at the end: ${loadAverage()}.`);
if (options.only.length === 0 || options.only.includes(CHECK)) for (const line of await crossCheck(bench)) console.log(line);
process.exit(figures.some(({ isMet }) => isMet === false) ? 1 : 0);
