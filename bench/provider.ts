// What zeroform adds to Pulumi: the same program with a provider that does nothing, and the same mounts made by a shell loop, in the same run.
import { parseArgs } from "node:util";
import { down, type HostInfo, up } from "../dev/hosts/index.ts";
import { prefixOf } from "../test/prefix.ts";
import { measureCore } from "./provider/core.ts";
import { compareCost } from "./provider/cost.ts";
import { compareMounts } from "./provider/mounts.ts";
import { measureScale, SHAPES } from "./provider/scale.ts";

const PREFIX = prefixOf("bp");

/** As many as one node of the larger comparison has. */
const CORE_RESOURCES = 100;

const { values: options } = parseArgs({
    options: {
        rounds: { type: "string", default: "3" },
        resources: { type: "string", default: "300" },
        mounts: { type: "string", default: "50" },
        hosts: { type: "string", default: "3" },
        scale: { type: "boolean", default: false },
        core: { type: "boolean", default: false },
        shapes: { type: "string", default: SHAPES },
        help: { type: "boolean", default: false },
    },
});
if (options.help) {
    console.log(`npm run bench:provider [-- --rounds 3 --resources 300 --hosts 3 --mounts 50] [-- --scale [--shapes ${SHAPES}]] [-- --core]

What zeroform adds to Pulumi, on test hosts that are made for it: up, empty preview, refresh and destroy of --resources Zdbs on --hosts hosts
beside the same program whose provider does nothing, and --mounts ZMounts beside a shell loop that makes the same by hand. Of --rounds rounds
the least disturbed counts. --scale: programs of --shapes
(resources x Nodes) instead. --core: 100 creates, reads and removals on one host without the CLI instead. 0 resources or mounts leave that part out.`);
    process.exit(0);
}
const [rounds, resources, mounts, count] = [options.rounds, options.resources, options.mounts, options.hosts].map(Number) as [
    number,
    number,
    number,
    number,
];

for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void down({ prefix: PREFIX }).finally(() => process.exit(1)));

/** The hosts are gone afterwards, whatever happens. */
const withHosts = async <T>(act: (hosts: readonly HostInfo[]) => Promise<T>): Promise<T> => {
    await down({ prefix: PREFIX });
    try {
        return await act(await up({ prefix: PREFIX, count }));
    } finally {
        await down({ prefix: PREFIX });
    }
};

const ok = await withHosts(async (hosts) => {
    if (options.scale) {
        await measureScale(hosts, options.shapes);
        return true;
    }
    const [first] = hosts;
    if (!first) throw new Error("no test host");
    if (options.core) {
        await measureCore(first, CORE_RESOURCES);
        return true;
    }
    const cheap = resources === 0 || (await compareCost(hosts, resources, rounds));
    const fast = mounts === 0 || (await compareMounts(first, mounts, rounds));
    return cheap && fast;
});
process.exitCode = ok ? 0 : 1;
