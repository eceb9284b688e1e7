import { asZeroformError, ZeroformError } from "../../protocol/errors.ts";
import type { Life } from "../../protocol/ids.ts";
import type { LifeRow } from "../store/lives.ts";
import type { ResourceKind, Values } from "../store/rows.ts";
import type { Machinery } from "./machinery.ts";
import type { Judge } from "./observer.ts";
import { hasWork, markUnfinished } from "./progress.ts";
import type { Outcome, Task } from "./task.ts";
import { canBeLost, ITS_GROUND, Worker } from "./worker.ts";

/** How often everything is looked at when nothing calls for it. */
const SWEEP_MS = 15_000;
/** A burst of events costs one sweep, and a stream of them one a second. */
const WAKE_MS = 100;
const BETWEEN_WAKES_MS = 1_000;
/** No waiting ends so soon after data have moved; less than what a provider waits for, which gets an answer then. */
const STALLED_MS = 50_000;

const SWEEPS = { name: "zeroform_sweep_duration_seconds", help: "How long it took to look at everything.", type: "summary" } as const;

export interface Waiting {
    /** Milliseconds since the boot. */
    readonly until: number;
    readonly signal: AbortSignal;
    readonly progress: (doing: string, moved?: true) => void;
}

/** Compares what is desired with what is: at the start, every 15 s, when something changes, and when asked. */
export class Reconciler {
    readonly #parts: Machinery;
    readonly #worker: Worker;
    readonly #onRemoved: () => void;
    readonly #stopped = new AbortController();
    readonly #pausing = new Set<object>();
    #callOffSweep: (() => void) | undefined;
    #woken = false;
    #unwatch: (() => void) | undefined;
    #sweeping: Promise<void> | undefined;
    #sweptAt = Number.NEGATIVE_INFINITY;
    /** Sweeps under way that somebody asked for: they heal even while the reconciler is paused. */
    #healing = 0;

    /** `onRemoved` hears whenever something may have left the machine for good. */
    constructor(parts: Machinery, random: () => number, onRemoved: () => void) {
        this.#parts = parts;
        this.#onRemoved = onRemoved;
        this.#worker = new Worker(parts, random, { onReady: (row) => this.#becameReady(row), onRemoved });
    }

    /** Goes on with whatever was under way when the agent stopped, and looks at everything. */
    start(): void {
        this.#unwatch = this.#parts.os.systemd.watch(() => this.wake());
        for (const row of this.#parts.store.lives.where(hasWork)) this.#worker.begin(row.life);
        this.#planSweep(0);
    }

    /** Lets go of everything; what is cut off is gone on with at the next start. */
    async stop(): Promise<void> {
        this.#stopped.abort();
        this.#unwatch?.();
        this.#callOffSweep?.();
        await this.#worker.stop();
        await this.#sweeping;
    }

    /** Something may have changed on the machine: looks soon. */
    wake(): void {
        if (this.#woken || this.#stopped.signal.aborted) return;
        this.#woken = true;
        if (!this.#sweeping) this.#planSweep(this.#wakeDelay());
    }

    /** Another state of this one is desired, not that of `before`: what is being done for the old one is cut off. */
    desiredChanged(life: Life, before?: Values): void {
        this.#worker.anew(life, before);
    }

    /** What was last seen of it, when that was good. */
    seen(life: Life): Task["seen"] {
        return this.#worker.task(life).seen;
    }

    /** Whether its data are known to be gone. */
    isGone(life: Life): boolean {
        return this.#worker.isGone(life);
    }

    get paused(): boolean {
        return this.#pausing.size > 0;
    }

    /** Waits until it is as desired, or gone, or will not be; no time runs out while data move. Rejects when the waiting is cancelled. */
    settled(life: Life, { until, signal, progress }: Waiting): Promise<Outcome> {
        const row = this.#parts.store.lives.get(life);
        if (!row || row.desired === "kept") return Promise.resolve({ state: "gone" });
        if (!hasWork(row)) return Promise.resolve({ state: "ready" });
        const task = this.#worker.task(life);
        if (task.failure && !task.failure.retryable && !task.running)
            return Promise.resolve({ state: "unfinished", failure: task.failure });
        return new Promise((resolve, reject) => {
            const end = (act: () => void) => {
                unwait();
                unlisten();
                callOff();
                signal.removeEventListener("abort", abort);
                act();
            };
            const abort = () => end(() => reject(new ZeroformError({ code: "CANCELLED", message: "the waiting was cancelled" })));
            const unwait = task.wait((outcome) => end(() => resolve(outcome)));
            let deadline = until;
            const unlisten = task.listen((doing, moved) => {
                if (moved) deadline = Math.max(deadline, this.#parts.clock.uptime() + STALLED_MS);
                progress(doing, moved);
            });
            let callOff: () => void = () => undefined;
            const late = () => {
                const leftMs = deadline - this.#parts.clock.uptime();
                if (leftMs > 0) callOff = this.#parts.clock.after(leftMs, late);
                else end(() => resolve({ state: "unfinished", failure: task.failure }));
            };
            callOff = this.#parts.clock.after(Math.max(0, until - this.#parts.clock.uptime()), late);
            signal.addEventListener("abort", abort, { once: true });
            if (signal.aborted) abort();
        });
    }

    /** Looks at this one now and begins to heal it when that is needed. Throws when it cannot be looked at. */
    async check(life: Life): Promise<void> {
        const row = this.#parts.store.lives.get(life);
        if (row?.desired !== "present") return;
        const { version } = this.#worker.task(life);
        const judge = await this.#parts.observer.look(row.kind, row.life);
        const task = this.#worker.task(life);
        if (!task.gone) task.forgive();
        await this.#judge(life, version, judge);
    }

    /** No sweep and no healing as long as one who asked for that has not taken it back. */
    pause(by: object): void {
        this.#pausing.add(by);
    }

    resume(by: object): void {
        if (this.#pausing.delete(by) && !this.paused) this.wake();
    }

    /** Observes and heals everything, even what has to wait for its next try; resolves when that is done. */
    async sweepNow(): Promise<void> {
        await this.#sweeping;
        this.#worker.forgiveAll();
        for (const row of this.#parts.store.lives.where(hasWork)) this.#worker.begin(row.life);
        this.#healing++;
        await this.#sweep(true).finally(() => this.#healing--);
        while (this.#worker.running().length > 0) await Promise.all(this.#worker.running());
    }

    #wakeDelay(): number {
        return Math.max(WAKE_MS, this.#sweptAt + BETWEEN_WAKES_MS - this.#parts.clock.uptime());
    }

    #planSweep(ms: number): void {
        this.#callOffSweep?.();
        this.#callOffSweep = this.#parts.clock.after(ms, () => void this.#sweep(false));
    }

    /** One at a time. */
    #sweep(evenPaused: boolean): Promise<void> {
        this.#callOffSweep?.();
        this.#sweeping ??= this.#sweepAll(evenPaused)
            .catch((failure: unknown) => console.error(`a sweep failed: ${asZeroformError(failure).message}`))
            .then(() => {
                this.#sweeping = undefined;
                this.#sweptAt = this.#parts.clock.uptime();
                if (!this.#stopped.signal.aborted) this.#planSweep(this.#woken ? this.#wakeDelay() : SWEEP_MS);
            });
        return this.#sweeping;
    }

    async #sweepAll(evenPaused: boolean): Promise<void> {
        this.#woken = false;
        if (this.#stopped.signal.aborted || (this.paused && !evenPaused)) return;
        const begun = performance.now();
        const kinds = new Set(this.#parts.inventory.present().map((row) => row.kind));
        await Promise.all([...kinds].map((kind) => this.#sweepKind(kind)));
        await this.#parts.trash.purgeDue({ signal: this.#stopped.signal, progress: () => undefined });
        this.#parts.meters.observe(SWEEPS, (performance.now() - begun) / 1_000);
        this.#onRemoved();
    }

    async #sweepKind(kind: ResourceKind): Promise<void> {
        const before = this.#parts.inventory.present(kind).map(({ life }) => ({ life, version: this.#worker.task(life).version }));
        let judge: Judge;
        try {
            judge = await this.#parts.observer.look(kind);
        } catch (failure) {
            const why = `it cannot be looked at: ${asZeroformError(failure).message}`;
            for (const { life, version } of before)
                if (this.#isQuiet(this.#worker.task(life), version)) markUnfinished(this.#parts, life, [why]);
            return;
        }
        for (const { life, version } of before) await this.#judge(life, version, judge);
    }

    /** A look counts only when nothing was being done meanwhile. */
    #isQuiet(task: Task, version: number): boolean {
        return !task.running && task.version === version;
    }

    /** What a look means for one resource. */
    async #judge(life: Life, version: number, judge: Judge): Promise<void> {
        const row = this.#parts.store.lives.get(life);
        const task = this.#worker.task(life);
        if (row?.desired !== "present" || !this.#isQuiet(task, version)) return;
        const seen = this.#seenBy(judge, row);
        if (!seen) return;
        const wasGone = task.gone;
        if (canBeLost(row) && this.#parts.inventory.usedBy(row).some((used) => this.isGone(used.life)))
            return this.#worker.lost(row, ITS_GROUND);
        task.gone = false;
        task.see(seen);
        if (seen.state === "ready") {
            // Not everything that is desired can be seen from outside: what was not done yet is done first.
            return row.work === "none" || row.work === "heal" ? this.#worker.ready(row) : this.#heal(task);
        }
        if (canBeLost(row) && seen.state === "absent" && (wasGone || (await this.#isMissedAgain(row)))) {
            if (this.#isQuiet(task, version))
                this.#worker.lost(row, "its data are gone from the node, and no operation of zeroform removed them");
            return;
        }
        if (wasGone) task.forgive();
        // While it is being tried again, why that fails says more than what is seen.
        if (!task.failure) markUnfinished(this.#parts, life, [seen.state === "drifted" ? seen.why : "it is not there any more"]);
        this.#heal(task);
    }

    /** One resource that cannot be judged keeps no other from it. */
    #seenBy(judge: Judge, row: LifeRow): ReturnType<Judge> | undefined {
        try {
            return judge(this.#parts.inventory.resource(row));
        } catch (failure) {
            markUnfinished(this.#parts, row.life, [`it cannot be judged: ${asZeroformError(failure).message}`]);
            return undefined;
        }
    }

    /** Data are called gone only when they are missed twice. */
    async #isMissedAgain(row: LifeRow): Promise<boolean> {
        const judge = await this.#parts.observer.look(row.kind, row.life);
        return judge(this.#parts.inventory.resource(row)).state === "absent";
    }

    #heal(task: Task): void {
        if ((!this.paused || this.#healing > 0) && !task.callOffRetry) this.#worker.begin(task.life);
    }

    /** What waited for it, or went down with it, is looked at now. */
    #becameReady(row: LifeRow): void {
        const dependents = this.#parts.inventory.standingOn(row.life).filter((each) => each.desired === "present");
        for (const each of dependents) if (each.state !== "ready") this.#worker.anew(each.life);
        if (dependents.length > 0) this.wake();
    }
}
