import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

/**
 * Whether the processes that started this one are still there. The engine starts a shell which starts this process, so
 * that the death of the engine shows in the shell's parent and not in our own.
 */
export const watchAncestry = async (parentOf: (pid: number) => Promise<number | undefined> = parentOfProcess) => {
    const parent = process.ppid;
    const grandparent = await parentOf(parent);
    return async (): Promise<boolean> => process.ppid === parent && (await parentOf(parent)) === grandparent;
};

const run = promisify(execFile);

/** The parent of a process, by the kernel on Linux and by ps elsewhere; undefined when there is no such process or no such thing. */
const parentOfProcess = async (pid: number): Promise<number | undefined> => {
    try {
        if (process.platform === "linux") {
            const status = readFileSync(`/proc/${pid}/status`, "utf8");
            return Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
        }
        if (process.platform === "win32") return undefined;
        const { stdout } = await run("ps", ["-o", "ppid=", "-p", String(pid)]);
        return Number(stdout.trim());
    } catch {
        return undefined;
    }
};
