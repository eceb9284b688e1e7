import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ZeroformError } from "../../protocol/errors.ts";
import { RUN } from "../../protocol/layout.ts";
import { absentAs, files } from "./files.ts";
import type { Packages, Work } from "./os.ts";
import { howToInstall, isThere, packageManager } from "./package-manager.ts";
import { ProgramFailure, run } from "./program.ts";

/** How long another user of the package manager is waited for: an upgrade of a whole machine at boot takes minutes. */
const LOCK_WAIT_S = 600;
const LONGEST_MS = 20 * 60_000;
/** How often it is looked at what the package manager says. */
const LISTEN_MS = 500;
const TRY_AGAIN_MS = 1_000;
/** Words of a package manager whose lists are too old or missing. */
const STALE_LISTS = /unable to locate package|has no installation candidate|unable to fetch|failed to fetch|404 +not found/i;
/** Another one has a lock; who, where apt knows. */
const LOCKED = /could not get lock [^\n]*|unable to (?:lock|acquire) [^\n]*|waiting for cache lock[^\n]*/i;
const HOLDER = /held by process (\d+) \(([^)]*)\)/;
/** No source answered. */
const OFFLINE =
    /could not connect|unable to connect|could not resolve|temporary failure (?:in name )?resolving|connection (?:refused|failed|timed out)|network is unreachable/i;
/** What a person must mend first, each with how. */
const BROKEN = [
    { words: /dpkg was interrupted/i, mend: "dpkg --configure -a" },
    { words: /unmet dependencies|fix-broken/i, mend: "apt-get --fix-broken install" },
] as const;

/** OS packages by apt. `lockWaitS`: how long another user of the package manager is waited for. */
export const packagesBy = ({ lockWaitS }: { readonly lockWaitS: number }): Packages => ({
    missing: async (needed) => {
        const found = await Promise.all(Object.values(needed).map((program) => isThere(program)));
        return Object.keys(needed).filter((_, index) => !found[index]);
    },

    howToInstall,

    install: async (names, work) => {
        const manager = await packageManager();
        if (manager?.program !== "apt-get") {
            const other = manager === undefined ? "has no package manager that is known here" : `installs packages by ${manager.program}`;
            throw await unavailable(names, `this machine ${other}, and the agent does so by apt-get only`);
        }
        const first = await whenFree(["install", ...INSTALL, ...names], lockWaitS, work);
        if (first === undefined) return;
        if (!STALE_LISTS.test(first)) throw await unavailable(names, first);
        work.progress("updating the lists of OS packages");
        const updated = await whenFree(["update"], lockWaitS, work);
        const second = await whenFree(["install", ...INSTALL, ...names], lockWaitS, work);
        if (second !== undefined) throw await unavailable(names, updated ?? second);
    },
});

export const packages: Packages = packagesBy({ lockWaitS: LOCK_WAIT_S });

const INSTALL = ["--yes", "--no-install-recommends", "--no-upgrade"];

/** Runs apt-get when nobody else has one of its locks: it waits itself for that of dpkg, and for no other. */
const whenFree = async (args: readonly string[], lockWaitS: number, work: Work): Promise<string | undefined> => {
    const until = performance.now() + lockWaitS * 1_000;
    for (;;) {
        const leftS = Math.max(0, Math.ceil((until - performance.now()) / 1_000));
        const complaint = await apt([...args, "--option", `DPkg::Lock::Timeout=${leftS}`], work);
        if (complaint === undefined || !LOCKED.test(complaint)) return complaint;
        if (performance.now() >= until)
            throw new ZeroformError({
                code: "BUSY",
                message: `the package manager has been in use by ${holderOf(complaint)} for ${lockWaitS} s`,
                hint: "Wait until that has ended, or end it, and try again.",
                retryable: true,
            });
        work.progress(waitingFor(complaint));
        await sleep(TRY_AGAIN_MS, undefined, { signal: work.signal });
    }
};

const holderOf = (words: string): string => {
    const [, pid, program] = HOLDER.exec(words) ?? [];
    return pid === undefined ? "another program" : `${program} (pid ${pid})`;
};

const waitingFor = (words: string): string => `waiting for ${holderOf(words)}, which uses the package manager`;

/**
 * Runs apt-get as a unit of its own, so that an agent that is restarted does not leave packages half installed.
 * Answers what it complained of; undefined: it succeeded.
 */
const apt = async (args: readonly string[], { signal, progress }: Work): Promise<string | undefined> => {
    const log = `${RUN}/packages-${randomBytes(4).toString("hex")}.log`;
    await files.makeDirectory(RUN);
    let said = "";
    const listening = setInterval(() => {
        void absentAs("", () => files.readText(log)).then((text) => {
            const locked = /waiting for cache lock[^\n]*/i.exec(text ?? "")?.[0];
            if (locked === undefined || waitingFor(locked) === said) return;
            said = waitingFor(locked);
            progress(said);
        });
    }, LISTEN_MS);
    const properties = [`StandardOutput=append:${log}`, `StandardError=append:${log}`].flatMap((property) => ["--property", property]);
    try {
        const environment = ["--setenv", "DEBIAN_FRONTEND=noninteractive", "--setenv", "LC_ALL=C.UTF-8"];
        await run("systemd-run", ["--wait", "--collect", "--quiet", ...properties, ...environment, "apt-get", "--quiet", ...args], {
            signal,
            timeoutMs: LONGEST_MS,
        });
        // A source that does not answer is a warning of an update, which succeeds with the lists it had.
        const text = (await files.readText(log)) ?? "";
        return args[0] === "update" && /^W: (failed to fetch|some index files failed)/im.test(text) ? warnings(text) : undefined;
    } catch (failure) {
        if (!(failure instanceof ProgramFailure)) throw failure;
        return complaint((await files.readText(log)) ?? "", failure);
    } finally {
        clearInterval(listening);
        await files.remove(log);
    }
};

const linesOf = (text: string): readonly string[] =>
    text
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "");

const warnings = (text: string): string =>
    linesOf(text)
        .filter((line) => line.startsWith("W:"))
        .map((line) => line.slice(2).trim())
        .slice(0, 2)
        .join("; ");

/** The lines that say what is wrong, the last ones: errors when there are some. */
const complaint = (text: string, failure: ProgramFailure): string => {
    const lines = linesOf(text);
    const errors = lines.filter((line) => line.startsWith("E:")).map((line) => line.slice(2).trim());
    const words = (errors.length > 0 ? errors : lines).slice(-3).join("; ");
    if (words === "") return failure.words;
    // Who had a lock is said while it is waited for, and not again when that ends.
    const held = LOCKED.test(words) && !HOLDER.test(words) ? HOLDER.exec(text)?.[0] : undefined;
    return held === undefined ? words : `${words}; ${held}`;
};

const unavailable = async (names: readonly string[], why: string): Promise<ZeroformError> => {
    const broken = BROKEN.find(({ words }) => words.test(why));
    const isOffline = OFFLINE.test(why);
    return new ZeroformError({
        code: "PACKAGE_MISSING",
        message: `the OS package ${names.join(", ")} could not be installed: ${isOffline ? `the package sources cannot be reached: ${why}` : why}`,
        hint:
            broken === undefined
                ? `${await howToInstall(names)} and try again.`
                : `Run \`${broken.mend}\` on the node and try again: an earlier installation was cut off there.`,
        // A network comes back by itself; everything else waits for a person.
        retryable: isOffline,
    });
};
