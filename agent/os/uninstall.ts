import { existsSync } from "node:fs";
import { readdir, rmdir, unlink } from "node:fs/promises";
import {
    AGENT_UNIT,
    AGENTS,
    CURRENT,
    DEVICE_RUN,
    LOCK_FILE,
    MACHINE_FILE,
    MOUNTS,
    NODE_KEY_FILE,
    POOL,
    ROOT,
    RUN,
    RUNTIMES,
    SERVICES,
    STORE_FILE,
    UNITS,
    ZDB_RUN,
    ZDBS,
    ZSTOR_RUN,
    ZSTORS,
} from "../../protocol/layout.ts";
import { absentAs, files } from "./files.ts";
import { run } from "./program.ts";
import { removeState } from "./remove-state.ts";
import { systemd } from "./systemd.ts";
import { removeUsers } from "./users.ts";

const TARGET = "zeroform.target";
/** What mke2fs makes when the directory is a file system of its own. */
const LOST_AND_FOUND = "lost+found";
const LOCK_WAIT_S = 900;

/** Takes the agent off the machine by a unit of its own, since that ends the agent; only when it has nothing to do any more by then. */
export const leave = async (): Promise<void> => {
    const [runtime, script] = [process.execPath, process.argv[1] ?? ""];
    await run("systemd-run", [
        "--no-block",
        "--collect",
        "--quiet",
        "flock",
        "--wait",
        String(LOCK_WAIT_S),
        LOCK_FILE,
        runtime,
        script,
        "uninstall",
        "--if-unused",
    ]);
};

export const stopAgent = (): Promise<void> => systemd.stop(AGENT_UNIT);
export const startAgent = (): Promise<void> => systemd.start(AGENT_UNIT);

/** Removes units, files and socket of the agent, which must be stopped. Directories that hold somebody's data stay, and are named. */
export const removeInstallation = async (): Promise<readonly string[]> => {
    await systemd.stop(TARGET);
    await removeUnits();
    for (const directory of [AGENTS, RUNTIMES, SERVICES, RUN, ZDB_RUN, ZSTOR_RUN, DEVICE_RUN]) await files.remove(directory);
    for (const path of [CURRENT, `${CURRENT}.new`]) await files.remove(path);
    await removeState({ machineFile: MACHINE_FILE, storeFile: STORE_FILE, keyFile: NODE_KEY_FILE }, files);
    const left: string[] = [];
    for (const directory of [POOL, MOUNTS, ZDBS, ZSTORS]) left.push(...(await removeEmpty(directory)));
    const others = (await files.list(ROOT)).filter((name) => name !== LOST_AND_FOUND).map((name) => `${ROOT}/${name}`);
    left.push(...others.filter((path) => !left.some((each) => each.startsWith(path))));
    // It may be a mount point, which nobody else made.
    if (left.length === 0) await rmdir(ROOT).catch(() => undefined);
    // A user's number may be given again, and then what it left would be somebody else's.
    if (left.length === 0) left.push(...(await removeUsers()).map((name) => `the system user ${name}`));
    return left;
};

/** Unit files, drop-ins and links of ours: constant names with one prefix. */
const removeUnits = async (): Promise<void> => {
    for (const directory of [UNITS, `${UNITS}/multi-user.target.wants`, `${UNITS}/zeroform.target.wants`]) {
        for (const name of await files.list(directory)) if (name.startsWith("zeroform")) await files.remove(`${directory}/${name}`);
    }
    await run("systemctl", ["daemon-reload"]);
    await run("systemctl", ["reset-failed", "zeroform*"], { accept: [0, 1, 5] });
};

/** Marks that drivers leave where data were. */
const MARKS: readonly string[] = [".pool", ".trash"];

/** Removes a directory when nothing but marks of ours is in it; answers what is. */
const removeEmpty = async (directory: string): Promise<readonly string[]> => {
    if (!existsSync(directory)) return [];
    const entries = await readdir(directory, { withFileTypes: true });
    const left: string[] = [];
    for (const entry of entries) {
        const path = `${directory}/${entry.name}`;
        if (entry.isDirectory()) left.push(...(await removeEmpty(path)));
        else if (MARKS.includes(entry.name)) await unlink(path);
        else left.push(path);
    }
    if (left.length === 0) await absentAs(undefined, () => rmdir(directory));
    return left;
};
