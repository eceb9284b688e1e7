import { asZeroformError, ZeroformError } from "../../protocol/errors.ts";
import type { Life } from "../../protocol/ids.ts";
import { primitiveOf } from "../../schema/index.ts";
import type { AnyPrimitive } from "../../schema/primitive.ts";
import type { Work } from "../os/os.ts";
import type { Observation } from "../primitives/driver.ts";
import type { LifeRow } from "../store/lives.ts";
import type { Values } from "../store/rows.ts";
import { backoffMs } from "./backoff.ts";
import { exchange } from "./exchange.ts";
import { called } from "./inventory.ts";
import type { Machinery } from "./machinery.ts";
import { hasWork, markReady, markUnfinished } from "./progress.ts";
import { Slots } from "./slots.ts";
import { makeReal, takeAway } from "./steps.ts";
import { Task } from "./task.ts";

/** Resources worked on at a time: enough that some that hang do not hold up the rest, few enough for a small machine. */
const AT_A_TIME = 32;
/** One attempt on one resource, since data last moved in it; a driver that takes longer is cut off and begins again. */
const LONGEST_ATTEMPT_MS = 30 * 60_000;

export interface WorkerEvents {
    /** It is as desired again: what stands on it may be otherwise now. */
    readonly onReady: (row: LifeRow) => void;
    /** Something has left the machine for good. */
    readonly onRemoved: () => void;
}

/** Works on each life until it is as desired, trying again what fails. One that is broken keeps no other. */
export class Worker {
    readonly #parts: Machinery;
    readonly #random: () => number;
    readonly #events: WorkerEvents;
    readonly #tasks = new Map<Life, Task>();
    readonly #slots = new Slots(AT_A_TIME);
    readonly #stopped = new AbortController();

    constructor(parts: Machinery, random: () => number, events: WorkerEvents) {
        this.#parts = parts;
        this.#random = random;
        this.#events = events;
    }

    task(life: Life): Task {
        const known = this.#tasks.get(life);
        if (known) return known;
        const task = new Task(life);
        this.#tasks.set(life, task);
        return task;
    }

    isGone(life: Life): boolean {
        return this.#tasks.get(life)?.gone ?? false;
    }

    /** Everything that is being worked on at this moment. */
    running(): readonly Promise<void>[] {
        return [...this.#tasks.values()].flatMap((task) => task.running ?? []);
    }

    /** What has failed is tried again without waiting. */
    forgiveAll(): void {
        for (const task of this.#tasks.values()) task.forgive();
    }

    async stop(): Promise<void> {
        this.#stopped.abort();
        this.forgiveAll();
        await Promise.all(this.running());
    }

    /** Another state of this one is desired, not that of `before`: what is being done for the old one is cut off. */
    anew(life: Life, before?: Values): void {
        const task = this.task(life);
        task.before ??= before;
        task.forgive();
        task.abort?.abort();
        this.begin(life);
    }

    /** At most one at a time for each life. */
    begin(life: Life): void {
        const task = this.task(life);
        task.callOffRetry?.();
        task.callOffRetry = undefined;
        if (this.#stopped.signal.aborted || task.running) return;
        task.version++;
        task.running = this.#slots
            .run(() => this.#work(task))
            .catch((defect: unknown) => this.#failed(task, asZeroformError(defect)))
            .then(() => this.#ended(task));
    }

    #ended(task: Task): void {
        task.running = undefined;
        task.version++;
        const row = this.#parts.store.lives.get(task.life);
        if (!row || row.desired === "kept") this.#tasks.delete(task.life);
        // Something was desired while the last step came to its end.
        else if (hasWork(row) && !task.callOffRetry && !this.#blockedBy(row)) this.begin(task.life);
    }

    async #work(task: Task): Promise<void> {
        for (;;) {
            // Nothing is done for a desire that a power cut could still take back.
            await this.#parts.store.durable();
            const row = this.#parts.store.lives.get(task.life);
            if (!row || row.desired === "kept") return task.settle({ state: "gone" });
            if (!hasWork(row)) return task.settle({ state: "ready" });
            const blocked = this.#blockedBy(row);
            if (blocked) return this.#blocked(task, blocked);
            const abort = new AbortController();
            const late = new AbortController();
            let patience = setTimeout(() => late.abort(), LONGEST_ATTEMPT_MS);
            const progress: Work["progress"] = (doing, moved) => {
                if (moved) {
                    clearTimeout(patience);
                    patience = setTimeout(() => late.abort(), LONGEST_ATTEMPT_MS);
                }
                task.progress(doing, moved);
            };
            task.abort = abort;
            task.stepBegins();
            try {
                const signal = AbortSignal.any([abort.signal, this.#stopped.signal, late.signal]);
                await this.#step(row, task, { signal, progress });
            } catch (failure) {
                if (this.#stopped.signal.aborted) return;
                // When it was cut off for another desire, the next round is for that.
                if (!abort.signal.aborted) return this.#failed(task, late.signal.aborted ? tooLong() : asZeroformError(failure));
            } finally {
                clearTimeout(patience);
                task.abort = undefined;
            }
        }
    }

    /** One step towards what is desired. */
    async #step(row: LifeRow, task: Task, work: Work): Promise<void> {
        const { store, inventory } = this.#parts;
        if (row.restore) {
            await this.#quiet(row);
            await exchange(this.#parts, row, work);
            return;
        }
        if (row.desired === "removed") {
            work.progress(`taking ${called(row)} away`);
            await takeAway(this.#parts, row, work);
            for (const used of inventory.usedBy(row)) if (used.desired === "removed") this.begin(used.life);
            this.#events.onRemoved();
            return;
        }
        const seen = await makeReal(this.#parts, row, work);
        const now = store.lives.get(row.life);
        // Desired otherwise meanwhile: the next round.
        if (now?.desired !== "present" || now.spec !== row.spec || now.restore) return;
        if (seen === "gone") return this.lost(now, "its data are gone from the node, and no operation of zeroform removed them");
        task.see(seen);
        if (seen.state !== "ready") throw notReady(seen);
        this.ready(now);
    }

    /** It is as desired. */
    ready(row: LifeRow): void {
        const task = this.task(row.life);
        task.forgive();
        task.gone = false;
        if (markReady(this.#parts, row, task.before)) {
            for (const note of task.seen?.notes ?? []) this.#parts.tell("note", note, row);
            this.#events.onReady(row);
        }
        task.before = undefined;
        task.settle({ state: "ready" });
    }

    /** A data-bearing resource without its data is not made again behind its owner's back. */
    lost(row: LifeRow, why: string): void {
        const task = this.task(row.life);
        const reason = `${why}; \`pulumi refresh\` and then \`pulumi up\` make it anew, and where no program has it any more \`zeroform remove ${row.life}\` ends it`;
        task.gone = true;
        task.seen = undefined;
        task.failure = new ZeroformError({ code: "NOT_READY", message: reason });
        if (markUnfinished(this.#parts, row.life, [reason])) this.#parts.tell("lost", why, row);
        task.settle({ state: "unfinished", failure: task.failure });
        for (const each of this.#parts.store.lives.using(row.life))
            if (canBeLost(each) && !this.isGone(each.life)) this.lost(each, ITS_GROUND);
    }

    /** Lets no one work on what stands on this one. */
    async #quiet(row: LifeRow): Promise<void> {
        for (const each of this.#parts.inventory.standingOn(row.life)) {
            const task = this.task(each.life);
            task.abort?.abort();
            await task.running;
        }
    }

    #failed(task: Task, failure: ZeroformError): void {
        const { store, clock, tell } = this.#parts;
        task.failure = failure;
        task.failures++;
        task.callOffRetry = clock.after(backoffMs(task.failures, this.#random), () => this.begin(task.life));
        const row = store.lives.get(task.life);
        try {
            const words = [failure.message, failure.hint].filter(Boolean).join(" ");
            if (markUnfinished(this.#parts, task.life, [words]) && row) tell("broken", words, row);
        } catch (unwritten) {
            // The store may be what is broken; then the journal is the only place left.
            console.error(`${task.life}: ${failure.message}; and that could not be written down: ${asZeroformError(unwritten).message}`);
        }
        if (!failure.retryable) task.settle({ state: "unfinished", failure });
    }

    #blocked(task: Task, by: Blocked): void {
        markUnfinished(this.#parts, task.life, [by.why]);
        task.failure = by.final ? new ZeroformError({ code: "NOT_READY", message: by.why }) : undefined;
        if (by.final) task.settle({ state: "unfinished", failure: task.failure });
    }

    /** What must be otherwise before anything can be done for it. Who changes that begins this one again. */
    #blockedBy(row: LifeRow): Blocked | undefined {
        const { inventory, store } = this.#parts;
        if (row.restore) return undefined;
        if (row.desired === "removed") {
            // Kept data go where their ground goes: whoever wanted this removed has judged that.
            const user = store.lives.using(row.life).find(({ desired }) => desired !== "kept");
            return user && { why: `it is removed after ${called(user)}`, final: false };
        }
        if (this.isGone(row.life)) return { why: row.reasons.join("; "), final: true };
        const unready = inventory.usedBy(row).find((used) => used.state !== "ready");
        if (!unready) return undefined;
        const failure = this.#tasks.get(unready.life)?.failure;
        const final = failure !== undefined && !failure.retryable;
        return { why: `it waits for ${called(unready)}${final ? `, which is not ready: ${unready.reasons.join("; ")}` : ""}`, final };
    }
}

/** Why something is gone that stood on what is gone. */
export const ITS_GROUND = "what its data were on is gone from the node";

/** It was ready once, and has data: when they are not there, making it again would hide that. */
export const canBeLost = (row: LifeRow): boolean => row.desired === "present" && row.made && primitiveOf(row.kind).bearsData;

interface Blocked {
    readonly why: string;
    /** Waiting alone will not end it. */
    readonly final: boolean;
}

const notReady = (seen: Exclude<Observation<AnyPrimitive>, { readonly state: "ready" }>) =>
    new ZeroformError({
        code: "NOT_READY",
        message: seen.state === "drifted" ? seen.why : "nothing of it is on the node although it was just made",
        retryable: true,
    });

const tooLong = () =>
    new ZeroformError({ code: "TIMEOUT", message: `it took longer than ${LONGEST_ATTEMPT_MS / 60_000} minutes`, retryable: true });
