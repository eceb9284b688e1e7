import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { ZeroformError } from "../../protocol/errors.ts";
import { RUN } from "../../protocol/layout.ts";
import { absentAs, files } from "./files.ts";
import type { Packages, Work } from "./os.ts";
import { ProgramFailure, run } from "./program.ts";

const DIRECTORIES = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/** How long another user of the package manager is waited for: an upgrade of a whole machine at boot takes minutes. */
const LOCK_WAIT_S = 600;
const LONGEST_MS = 20 * 60_000;
/** How often it is looked at what the package manager says. */
const LISTEN_MS = 500;
/** Words of a package manager whose lists are too old or missing. */
const STALE_LISTS = /unable to locate package|has no installation candidate|unable to fetch|failed to fetch|404 +not found/i;

/** OS packages by apt. */
export const packages: Packages = {
    missing: async (needed) => {
        const found = await Promise.all(Object.values(needed).map((program) => isThere(program)));
        return Object.keys(needed).filter((_, index) => !found[index]);
    },

    install: async (names, work) => {
        if (!(await isThere("apt-get"))) throw unavailable(names, "this machine has no apt-get");
        const first = await apt(["install", ...INSTALL, ...names], work);
        if (first === undefined) return;
        if (!STALE_LISTS.test(first)) throw unavailable(names, first);
        work.progress("updating the lists of OS packages");
        const updated = await apt(["update"], work);
        const second = await apt(["install", ...INSTALL, ...names], work);
        if (second !== undefined) throw unavailable(names, updated ?? second);
    },
};

const INSTALL = ["--yes", "--no-install-recommends", "--no-upgrade", "--option", `DPkg::Lock::Timeout=${LOCK_WAIT_S}`];

const isThere = async (program: string): Promise<boolean> => {
    for (const directory of DIRECTORIES) if (await isExecutable(`${directory}/${program}`)) return true;
    return false;
};

const isExecutable = (path: string): Promise<boolean> =>
    access(path, constants.X_OK).then(
        () => true,
        () => false,
    );

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
            const waiting = /waiting for cache lock[^\n]*/i.exec(text ?? "")?.[0];
            if (waiting === undefined || waiting === said) return;
            said = waiting;
            progress("waiting for another user of the package manager");
        });
    }, LISTEN_MS);
    const properties = [`StandardOutput=append:${log}`, `StandardError=append:${log}`].flatMap((property) => ["--property", property]);
    try {
        const environment = ["--setenv", "DEBIAN_FRONTEND=noninteractive", "--setenv", "LC_ALL=C.UTF-8"];
        await run("systemd-run", ["--wait", "--collect", "--quiet", ...properties, ...environment, "apt-get", "--quiet", ...args], {
            signal,
            timeoutMs: LONGEST_MS,
        });
        return undefined;
    } catch (failure) {
        if (!(failure instanceof ProgramFailure)) throw failure;
        return complaint((await files.readText(log)) ?? "", failure);
    } finally {
        clearInterval(listening);
        await files.remove(log);
    }
};

/** The lines that say what is wrong, the last ones: errors when there are some. */
const complaint = (text: string, failure: ProgramFailure): string => {
    const lines = text
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "");
    const errors = lines.filter((line) => line.startsWith("E:")).map((line) => line.slice(2).trim());
    const words = (errors.length > 0 ? errors : lines).slice(-3).join("; ");
    return words === "" ? failure.words : words;
};

const unavailable = (names: readonly string[], why: string) =>
    new ZeroformError({
        code: "PACKAGE_MISSING",
        message: `the OS package ${names.join(", ")} could not be installed: ${why}`,
        hint: `Run \`apt-get install ${names.join(" ")}\` on the node and try again.`,
    });
