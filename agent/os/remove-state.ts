import { basename, dirname } from "node:path";
import type { Files } from "./files.ts";

/** What says what is desired of this machine. */
export interface StateFiles {
    readonly machineFile: string;
    readonly storeFile: string;
    readonly keyFile: string;
}

/**
 * Removes the agent's memory in an order that may be cut off anywhere: the store first, since a store without its key can be told from a
 * damaged one by nobody, then everything beside it, the key, and last the file that says that there was a store.
 */
export const removeState = async (
    { machineFile, storeFile, keyFile }: StateFiles,
    { list, remove }: Pick<Files, "list" | "remove">,
): Promise<void> => {
    await remove(storeFile);
    for (const file of [storeFile, machineFile]) {
        const [directory, name] = [dirname(file), basename(file)];
        const beside = (await list(directory)).filter((each) => each.startsWith(name) && each !== name);
        for (const each of beside) await remove(`${directory}/${each}`);
    }
    await remove(keyFile);
    await remove(machineFile);
};
