import { ZeroformError } from "../../protocol/errors.ts";
import { MOUNTS } from "../../protocol/layout.ts";
import { controllers, hasOwnViews, missingControllers } from "./confinement.ts";
import { inTurn } from "./in-turn.ts";
import { ProgramFailure, run } from "./program.ts";
import { escapePath } from "./unit-names.ts";
import {
    dropInOf,
    limitsOf as limitsFile,
    readLimits,
    removeUnit,
    type Unit,
    unitMatches,
    writeLimits,
    writeUnit,
    ZEROFORM_TARGET,
} from "./units.ts";
import { ensureUser } from "./users.ts";
import { watchUnits } from "./watch.ts";

export interface UnitState {
    readonly name: string;
    /** `active`, `activating`, `inactive`, `failed` ... */
    readonly active: string;
    /** `running`, `mounted`, `auto-restart` ... */
    readonly sub: string;
}

/** The supervisor. */
export interface Systemd {
    /** Makes their users, and writes what differs of these units and of `zeroform.target`; one reload of systemd serves all that need one at the time. */
    install(units: readonly Unit[]): Promise<void>;
    /** Whether it is on the disk as it should be. */
    installed(unit: Unit): Promise<boolean>;
    /** Whether services can have a view of the file system of their own on this machine. */
    hasOwnViews(): Promise<boolean>;
    /** Controllers of cgroup v2 that limits of services need and this machine lacks. */
    missingControllers(): Promise<readonly string[]>;
    /** Controllers of cgroup v2 that this machine has. */
    controllers(): Promise<readonly string[]>;
    /** Says in a drop-in what a service may take; undefined: what its own text says. At once, without a restart of it. */
    limit(unit: string, dropIn: string | undefined): Promise<void>;
    /** The drop-in that says so. */
    limits(unit: string): Promise<string | undefined>;
    /** Takes units off the disk; they should be stopped. Absent is fine. */
    uninstall(units: readonly Unit[]): Promise<void>;
    /** States of all units of ours that systemd knows, by name; one cheap question. */
    states(): Promise<ReadonlyMap<string, UnitState>>;
    /** Throws FAILED with systemd's own words and the journal's last lines. */
    start(unit: string, signal?: AbortSignal): Promise<void>;
    restart(unit: string, signal?: AbortSignal): Promise<void>;
    /** Stopped already, or unknown, is fine. */
    stop(unit: string, signal?: AbortSignal): Promise<void>;
    /** The last lines that a unit, or systemd about it, wrote in the journal, as one string. */
    lastWords(unit: string, since?: Date): Promise<string>;
    /** Calls back soon after a mount of ours went away or turned read-only, or a service of ours stopped. Answers how to stop watching. */
    watch(onChange: () => void): () => void;
}

/** Starting may include the check of a large file system after a crash; what waits for it has a deadline of its own. */
const START_TIMEOUT_MS = 15 * 60_000;
const STOP_TIMEOUT_MS = 3 * 60_000;
/** So many lines tell why something failed, and still fit into one sentence's tail. */
const LAST_LINES = 5;
/** What systemd says whenever a unit starts or ends, which tells nothing. */
const ROUTINE = /^(Starting|Started|Stopping|Stopped|Finished|Mounting|Mounted|Unmounting|Unmounted) |: Deactivated successfully\.$|^$/;
/** Several resources share a template. */
const WRITING = "unit files";
/** A drop-in that changes nothing. */
const NO_LIMITS = "[Service]\n";

export const systemd: Systemd = {
    install: async (units) => {
        for (const { user } of units) if (user !== undefined) await ensureUser(user);
        const written = await inTurn(WRITING, async () => {
            const outcomes: Written[] = [];
            for (const unit of [ZEROFORM_TARGET, ...units]) {
                const dropIn = unit.dropIn === undefined ? undefined : dropInOf(unit);
                outcomes.push({ unit, name: unit.name, how: await writeUnit(unit), dropIn });
            }
            return outcomes;
        });
        const unsure = written.filter(({ unit, name, how }) => how !== "as it was" || loaded.get(name) !== textOf(unit));
        if (unsure.length === 0) return;
        for (const { name } of unsure) loaded.delete(name);
        await reloadIfStale(unsure);
        for (const { unit, name } of unsure) loaded.set(name, textOf(unit));
    },

    installed: unitMatches,
    hasOwnViews,
    missingControllers,
    controllers,

    limit: async (name, dropIn) => {
        // One that was there is emptied and stays: so it tells, after a crash too, that systemd may not know yet.
        if (dropIn === undefined && (await readLimits(name)) === undefined) return;
        const text = dropIn ?? NO_LIMITS;
        const how = await inTurn(WRITING, () => writeLimits(name, text));
        const key = limitsOf(name);
        if (how === "as it was" && loaded.get(key) === text) return;
        loaded.delete(key);
        // A service that runs gets what a reload finds in its drop-ins, as its cgroup is set up anew.
        await reloadIfStale([{ unit: { name }, name, how, dropIn: limitsFile(name) }]);
        loaded.set(key, text);
    },
    limits: readLimits,

    uninstall: async (units) => {
        const removed = await inTurn(WRITING, async () => {
            let any = false;
            for (const { name } of units) for (const key of [name, limitsOf(name)]) loaded.delete(key);
            for (const unit of units) any = (await removeUnit(unit)) || any;
            return any;
        });
        if (removed) await reload();
    },

    states: async () => {
        const patterns = ["zeroform*", `${escapePath(MOUNTS)}-*.mount`];
        const { stdout } = await run("systemctl", ["list-units", "--all", "--full", "--no-pager", "--output=json", ...patterns]);
        return parseStates(stdout);
    },

    start: (unit, signal) => act("start", unit, START_TIMEOUT_MS, signal),
    restart: (unit, signal) => act("restart", unit, START_TIMEOUT_MS, signal),
    stop: async (unit, signal) => {
        try {
            await act("stop", unit, STOP_TIMEOUT_MS, signal);
        } catch (failure) {
            if (!(failure instanceof ZeroformError && failure.message.includes("not loaded"))) throw failure;
        }
    },

    lastWords: async (unit, since) => {
        const from = since === undefined ? [] : ["--since", `@${Math.floor(since.getTime() / 1_000)}`];
        const args = ["--unit", unit, "--lines", String(2 * LAST_LINES), ...from, "--output", "cat", "--no-pager", "--quiet"];
        const { stdout } = await run("journalctl", args, { accept: [0, 1] });
        const lines = stdout.split(/\s*\n\s*/).filter((line) => !ROUTINE.test(line));
        return lines.slice(-LAST_LINES).join("; ");
    },

    watch: watchUnits,
};

/** `list-units --output=json`: an array of units with their states. */
export const parseStates = (json: string): ReadonlyMap<string, UnitState> => {
    const listed: unknown = JSON.parse(json || "[]");
    if (!Array.isArray(listed)) throw new TypeError("systemctl list-units did not answer a list");
    return new Map(
        listed.map(({ unit, active, sub }: { readonly unit: string; readonly active: string; readonly sub: string }) => [
            unit,
            { name: unit, active, sub },
        ]),
    );
};

const act = async (verb: "start" | "stop" | "restart", unit: string, timeoutMs: number, signal?: AbortSignal): Promise<void> => {
    const since = new Date();
    try {
        await run("systemctl", [verb, "--no-ask-password", unit], { signal, timeoutMs });
    } catch (failure) {
        if (!(failure instanceof ProgramFailure)) throw failure;
        const words = failure.words.replace(/\s*(;\s*)?See "systemctl status.*$/s, "").replace(/\.$/, "");
        const journal = await systemd.lastWords(unit, since);
        throw new ZeroformError(
            { code: "FAILED", message: `could not ${verb} ${unit}: ${words}${journal === "" ? "" : `: ${journal}`}`, retryable: true },
            failure,
        );
    }
};

interface Written {
    readonly unit: Unit;
    readonly name: string;
    readonly how: Awaited<ReturnType<typeof writeUnit>>;
    /** What systemd has to have read beside its unit file. */
    readonly dropIn: string | undefined;
}

/** Units as systemd is known to have them since this process began: asking costs a process and a turn of PID 1. */
const loaded = new Map<string, string>();
const limitsOf = (name: string): string => `limits of ${name}`;
const textOf = (unit: Unit): string => JSON.stringify([unit.text, unit.dropIn, unit.wantedBy]);

/**
 * A unit that systemd has not loaded yet is read when it is first used; one that it has loaded needs telling. It is asked once in the life of
 * this process even without a write: a crash may have come between the two. A mount whose unit file was taken away is known to it from the kernel alone.
 */
const reloadIfStale = async (written: readonly Written[]): Promise<void> => {
    const isTemplate = ({ name }: Written) => name.includes("@.");
    if (written.some((unit) => isTemplate(unit) && unit.how === "changed")) return reload();
    const units = written.filter((unit) => !isTemplate(unit));
    const { stdout } = await run("systemctl", ["show", `--property=${ASKED}`, ...units.map(({ name }) => name)]);
    const answers = stdout.trim().split("\n\n");
    if (units.some(({ dropIn }, index) => isStale(answers[index] ?? "", dropIn))) await reload();
};

const ASKED = "NeedDaemonReload,LoadState,FragmentPath,DropInPaths";

/**
 * Whether systemd has something else in mind than what is on the disk. It looks for new directories only when the time of the one above has
 * changed, which does not tell two changes within a few milliseconds apart: then it knows no drop-in and says that it needs no telling.
 */
export const isStale = (properties: string, dropIn: string | undefined): boolean => {
    const read = /^DropInPaths=(.*)$/m.exec(properties)?.[1]?.split(" ") ?? [];
    const isLoaded = properties.includes("LoadState=loaded");
    return (
        properties.includes("NeedDaemonReload=yes") ||
        (isLoaded && /^FragmentPath=$/m.test(properties)) ||
        (isLoaded && dropIn !== undefined && !read.includes(dropIn))
    );
};

let running: Promise<void> = Promise.resolve();
let next: Promise<void> | undefined;

/** Whoever asks while a reload runs shares the one after it: what they wrote may have come too late for the first. */
const reload = (): Promise<void> => {
    next ??= running.then(() => {
        const reloading = run("systemctl", ["daemon-reload"]).then(() => {});
        running = reloading.catch(() => {});
        next = undefined;
        return reloading;
    });
    return next;
};
