// What zeroform adds to Pulumi: the same program with a provider that does nothing, and the same mounts made by a shell loop, in the same run.
import { parseArgs } from "node:util";
import { down, type HostInfo, up } from "../dev/hosts/index.ts";
import { prefixOf } from "../test/prefix.ts";
import { compareCost } from "./provider/cost.ts";

const PREFIX = prefixOf("bp");

const { values: options } = parseArgs({
    options: {
        rounds: { type: "string", default: "3" },
        resources: { type: "string", default: "300" },
        hosts: { type: "string", default: "3" },
        help: { type: "boolean", default: false },
    },
});
if (options.help) {
    console.log(
        "npm run bench:provider [-- --rounds 3 --resources 300 --hosts 3]\n\nWhat zeroform adds to Pulumi: Zdbs on test hosts beside a provider that does nothing.",
    );
    process.exit(0);
}

const withHosts = async <T>(count: number, act: (hosts: readonly HostInfo[]) => Promise<T>): Promise<T> => {
    await down({ prefix: PREFIX });
    try {
        return await act(await up({ prefix: PREFIX, count }));
    } finally {
        await down({ prefix: PREFIX });
    }
};

const ok = await withHosts(Number(options.hosts), (hosts) => compareCost(hosts, Number(options.resources), Number(options.rounds)));
process.exitCode = ok ? 0 : 1;
