import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { must } from "../../dev/hosts/command.ts";
import { type HostInfo, list } from "../../dev/hosts/index.ts";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
export const BUN = `${REPOSITORY}node_modules/.bin/bun`;
/** Where a host has what tests run on it: this checkout may lie where a host does not see it. */
const PLACE = "/opt/zeroform-test";

/** Puts the runtime on a host that is up; answers its path there. */
export const placeBun = async (host: HostInfo): Promise<string> => {
    await copyInto(host, BUN, "bun");
    return `${PLACE}/bun`;
};

/** Bundles a program of ours and puts it on a host that is up; answers its path there. */
export const placeProgram = async (host: HostInfo, source: string, name: string): Promise<string> => {
    const directory = await mkdtemp(`${tmpdir()}/zeroform-program-`);
    try {
        const bundle = `${directory}/${name}`;
        await must(BUN, ["build", `${REPOSITORY}${source}`, "--target=bun", "--outfile", bundle]);
        await copyInto(host, bundle, name);
        return `${PLACE}/${name}`;
    } finally {
        await rm(directory, { recursive: true, force: true });
    }
};

const copyInto = async ({ name }: HostInfo, file: string, as: string): Promise<void> => {
    const prefix = name.slice(0, name.lastIndexOf("-"));
    const pid = (await list({ prefix })).find((each) => each.name === name)?.pid;
    if (pid === undefined) throw new Error(`${name} is not up`);
    const root = `/proc/${pid}/root`;
    await must("mkdir", ["-p", `${root}${PLACE}`]);
    await must("cp", ["-L", file, `${root}${PLACE}/${as}`]);
};
