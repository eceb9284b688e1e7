import * as path from "node:path";
import { Lanes } from "./lanes.ts";
import { CLOSE_HOOK_MS, MAX_RUNNING_HOOKS, MAX_WAITING_HOOKS } from "./limits.ts";
import type { Properties } from "./properties.ts";
import { runProgram } from "./seam-process.ts";
import { segmentName } from "./segment-header.ts";
import type { Timers } from "./syncer.ts";

/** How long a hook that ended is listed. */
const LISTED_MS = 300_000;
/** It did not run, or was killed. */
export const NOT_RUN = -1;
/** Our index files are written once. */
export const NO_DIRTY_IDS = "";

export type HookEvent =
    | "namespaces-init"
    | "ready"
    | "close"
    | "crash"
    | "jump-index"
    | "jump-data"
    | "missing-data"
    | "namespace-created"
    | "namespace-updated"
    | "namespace-deleted"
    | "namespace-reloaded"
    | "namespace-closing";

/** What namespaces have a program of their own in. */
type Hooked = Pick<Properties, "hook">;

/** One run of the hook program, as HOOKS tells it. */
export interface HookRun {
    readonly event: HookEvent;
    /** Its arguments after the event and the instance. */
    readonly args: readonly string[];
    readonly pid: number;
    readonly startedS: number;
    /** 0 while it runs. */
    finishedS: number;
    code: number;
}

/**
 * The program that is told what happens, as `program event instance arguments...`. Nothing that serves clients waits for it;
 * when many run at once, further ones wait for their turn.
 */
export class Hooks {
    private readonly program: string | undefined;
    private readonly instance: string;
    private readonly timers: Timers;
    private readonly log: (line: string) => void;
    private readonly runs = new Set<HookRun>();
    private readonly lanes = new Lanes(MAX_RUNNING_HOOKS);
    /** The last jump of each namespace whose `jump-index` has not ended. */
    private readonly jumps = new Map<string, Promise<void>>();

    constructor(program: string | undefined, instance: string, timers: Timers, log: (line: string) => void) {
        this.program = program;
        this.instance = instance;
        this.timers = timers;
        this.log = log;
    }

    /** The same for a namespace, which may have a program of its own. */
    async fireFor(hooked: Hooked | undefined, event: HookEvent, ...args: string[]): Promise<number> {
        return this.start(hooked?.hook || this.program, event, args);
    }

    /** Runs the program; its exit code, 0 where there is none, -1 when it did not run or was killed. Never rejects. */
    async fire(event: HookEvent, ...args: string[]): Promise<number> {
        return this.start(this.program, event, args);
    }

    private async start(program: string | undefined, event: HookEvent, args: readonly string[]): Promise<number> {
        if (program === undefined) return 0;
        const { lanes } = this;
        if (lanes.waiting < MAX_WAITING_HOOKS) return lanes.run(() => this.run(program, event, args));
        this.log(`hook ${event} was left out: ${MAX_RUNNING_HOOKS} run and ${MAX_WAITING_HOOKS} wait`);
        return NOT_RUN;
    }

    /**
     * A namespace appends to another segment: first `jump-index` (old and new index file, no dirty ids), then `jump-data` (old and new data
     * file). The next jump of the namespace is told after the `jump-index` of this one has ended.
     */
    jumped(hooked: Hooked, indexDirectory: string, dataDirectory: string, before: number, now: number): void {
        if (this.program === undefined && hooked.hook === "") return;
        const index = [before, now].map((number) => path.join(indexDirectory, `i${number}`));
        const data = [before, now].map((number) => path.join(dataDirectory, segmentName(number)));
        const told = (this.jumps.get(dataDirectory) ?? Promise.resolve())
            .then(() => this.fireFor(hooked, "jump-index", ...index, NO_DIRTY_IDS))
            .then(() => void this.fireFor(hooked, "jump-data", ...data));
        this.jumps.set(dataDirectory, told);
        void told.then(() => {
            if (this.jumps.get(dataDirectory) === told) this.jumps.delete(dataDirectory);
        });
    }

    /** The file of a segment is not there when it is read; whether the program says that it is now. */
    async bringsBack(hooked: Hooked, file: string): Promise<boolean> {
        if (this.program === undefined && hooked.hook === "") return false;
        return (await this.fireFor(hooked, "missing-data", file)) === 0;
    }

    /** The last event, waited for; a hook that does not end must not keep the server from ending. */
    async close(): Promise<void> {
        let cancel = (): void => undefined;
        const patience = new Promise<void>((resolve) => {
            cancel = this.timers.after(CLOSE_HOOK_MS, () => {
                this.log(`the hook close did not end in ${CLOSE_HOOK_MS / 1000} s`);
                resolve();
            });
        });
        await Promise.race([this.fire("close"), patience]);
        cancel();
    }

    /** For the last moment of a process that dies: nobody waits. */
    cry(event: HookEvent): void {
        if (this.program !== undefined) runProgram(this.program, [event, this.instance], { outlives: true });
    }

    /** What runs, and what ended in the last minutes. */
    list(): readonly HookRun[] {
        return [...this.runs];
    }

    private async run(program: string, event: HookEvent, args: readonly string[]): Promise<number> {
        const { pid, ended } = runProgram(program, [event, this.instance, ...args]);
        const run: HookRun = { event, args, pid, startedS: unixSeconds(), finishedS: 0, code: 0 };
        this.runs.add(run);
        run.code = await ended;
        run.finishedS = unixSeconds();
        if (run.code !== 0) this.log(`hook ${event} ${pid === 0 ? "could not be started" : `ended with ${run.code}`}`);
        this.timers.after(LISTED_MS, () => this.runs.delete(run));
        return run.code;
    }
}

const unixSeconds = (): number => Math.floor(Date.now() / 1000);
