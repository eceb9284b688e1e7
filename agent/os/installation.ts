import { existsSync, realpathSync } from "node:fs";
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { AGENTS, CURRENT, RUNTIMES, UNITS } from "../../protocol/layout.ts";
import { absentAs, files } from "./files.ts";

/** The directory of the bundle that runs: `<AGENTS>/<hash>`. */
export const ownDirectory = (): string => dirname(realpathSync(process.argv[1] ?? "."));

/** Content hash of the bundle that runs: the name of its directory. */
export const ownHash = (): string => basename(ownDirectory());

/** A process that runs a bundle or a runtime of ours. */
export interface Running {
    /** The unit it belongs to. */
    readonly unit: string | undefined;
    /** Content hash of the bundle. */
    readonly agent: string | undefined;
    readonly runtime: string | undefined;
}

/** Processes that run any bundle or runtime of ours. */
export const running = async (): Promise<readonly Running[]> => {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const found = await Promise.all(pids.map(look));
    return found.flatMap((each) => each ?? []);
};

/** A process may end while it is looked at. */
const look = (pid: string): Promise<Running | undefined> =>
    readFile(`/proc/${pid}/cmdline`, "utf8").then(
        async (commandLine) => {
            const agent = hashIn(commandLine, AGENTS);
            const runtime = hashIn(await readlink(`/proc/${pid}/exe`).catch(() => ""), RUNTIMES);
            if (agent === undefined && runtime === undefined) return undefined;
            const cgroup = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
            return { unit: /([^/\n]+\.(?:service|scope))\n?$/.exec(cgroup)?.[1], agent, runtime };
        },
        () => undefined,
    );

const hashIn = (text: string, directory: string): string | undefined => new RegExp(`${directory}/([^/\\0]+)/`).exec(text)?.[1];

/** Units of ours that run an older bundle than this one. */
export const awaitingRestart = async (): Promise<readonly string[]> => {
    const own = ownHash();
    const old = (await running()).filter(({ agent, unit }) => agent !== undefined && agent !== own && unit?.startsWith("zeroform-"));
    return [...new Set(old.flatMap(({ unit }) => unit ?? []))].sort();
};

/** Removes bundles and runtimes that nothing uses; the newest one before this is kept, to go back to. */
export const removeUnused = async (): Promise<readonly string[]> => {
    const processes = await running();
    const units = await unitTexts();
    const kept = await keptBundles(processes);
    const removed: string[] = [];
    for (const hash of await files.list(AGENTS)) {
        const path = `${AGENTS}/${hash}`;
        if (kept.has(hash) || units.includes(path)) continue;
        await files.remove(path);
        removed.push(path);
    }
    const launchers = (await Promise.all([...kept].map((hash) => files.readText(`${AGENTS}/${hash}/zeroform-agent`)))).join("\n");
    for (const hash of await files.list(RUNTIMES)) {
        const path = `${RUNTIMES}/${hash}`;
        if (launchers.includes(path) || units.includes(path) || processes.some(({ runtime }) => runtime === hash)) continue;
        await files.remove(path);
        removed.push(path);
    }
    return removed;
};

const keptBundles = async (processes: readonly Running[]): Promise<ReadonlySet<string>> => {
    const kept = new Set<string>([ownHash(), basename(await absentAs("", () => readlink(CURRENT)))]);
    for (const { agent } of processes) if (agent !== undefined) kept.add(agent);
    const others = (await files.list(AGENTS)).filter((hash) => !kept.has(hash));
    const dated = await Promise.all(others.map(async (hash) => ({ hash, at: (await stat(`${AGENTS}/${hash}`)).mtimeMs })));
    const previous = dated.sort((one, other) => other.at - one.at).at(0);
    if (previous && kept.size < 2) kept.add(previous.hash);
    return kept;
};

const unitTexts = async (): Promise<string> => {
    const names = existsSync(UNITS) ? (await readdir(UNITS)).filter((name) => name.startsWith("zeroform")) : [];
    return (await Promise.all(names.map((name) => absentAs("", () => readFile(`${UNITS}/${name}`, "utf8")).catch(() => "")))).join("\n");
};
