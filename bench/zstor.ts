import { parseArgs } from "node:util";
import { randomBlock, textBlock } from "./zstor/contents.ts";
import { floor } from "./zstor/floor.ts";
import { HEAD, lineOf, MIB, type Row } from "./zstor/measure.ts";
import { largeObjects, packing, ranges, smallObjects } from "./zstor/objects.ts";
import { repair } from "./zstor/repair.ts";
import { Cluster } from "./zstor/servers.ts";
import { flushes, stages } from "./zstor/stages.ts";

// The dispersed store beside its own floor: the same shard bytes into the same namespaces by a bare pipelined client, in the same run.
// `--huge 8` is the object of the ranges at its full size, in GiB; `--only large,small` is these parts alone.

const PARTS = ["stages", "small", "large", "ranges", "repair"] as const;
const { values } = parseArgs({
    options: {
        mib: { type: "string", default: "256" },
        small: { type: "string", default: "10000" },
        huge: { type: "string", default: "1" },
        only: { type: "string", default: PARTS.join() },
    },
});
const only = new Set(values.only.split(","));
const mib = Number(values.mib);
const small = Number(values.small);

const lines: string[] = [...HEAD];
const print = (row: Row) => {
    lines.push(lineOf(row));
    process.stderr.write(`${lines.at(-1)}\n`);
};

const cluster = new Cluster();
try {
    await cluster.start();
    print(flushes(cluster.directory));
    if (only.has("stages")) for (const row of stages(randomBlock(16), textBlock(16))) print(row);
    const bare = only.has("large") || only.has("repair") ? await floor(cluster, mib * MIB) : undefined;
    for (const row of bare?.rows ?? []) print(row);
    await cluster.startFrontEnd();
    if (only.has("small")) {
        const before = await cluster.storedBytes();
        const alone = Math.ceil(small / 10);
        print(await smallObjects(cluster, 1, alone, 300));
        print(await packing(cluster, alone, before));
        print(await smallObjects(cluster, 64, small, 2000));
    }
    if (only.has("large")) for await (const row of largeObjects(cluster, mib, bare)) print(row);
    if (only.has("ranges")) for await (const row of ranges(cluster, Number(values.huge))) print(row);
    if (only.has("repair")) print(await repair(cluster, bare));
} finally {
    await cluster.stop();
}
process.stdout.write(`${lines.join("\n")}\n`);
process.exit(0);
