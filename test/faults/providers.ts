import { readdir, readFile, readlink } from "node:fs/promises";
import { PROCESS_TITLE } from "../../provider/dynamic/process.ts";
import type { Stack } from "../e2e/stack.ts";

/** Provider processes of ours that work in the stack's project; one that was killed before it loaded us is Pulumi's. */
export const providersOf = async ({ directory }: Stack): Promise<readonly number[]> => {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const found = await Promise.all(pids.map(async (pid) => ((await isOurs(pid, directory)) ? [Number(pid)] : [])));
    return found.flat();
};

const isOurs = async (pid: string, directory: string): Promise<boolean> => {
    try {
        const [command, cwd] = await Promise.all([readFile(`/proc/${pid}/cmdline`, "utf8"), readlink(`/proc/${pid}/cwd`)]);
        return command.startsWith(PROCESS_TITLE) && cwd.startsWith(directory);
    } catch {
        // It has ended meanwhile.
        return false;
    }
};
