import { type Backend, BackendError, type NamespaceInfo } from "./backend.ts";
import { BoundedBackend, inTime } from "./bounded-backend.ts";
import { Breaker, type BreakerState } from "./breaker.ts";
import { Figures } from "./figures.ts";
import { Latency } from "./latency.ts";
import { PROBE_ANSWER_MS, PROBE_MS, RESERVE_BYTES } from "./limits.ts";
import type { Candidate } from "./placement.ts";
import type { BackendConfig } from "./store-record.ts";
import { jittered, type Surroundings } from "./surroundings.ts";
import { Tardiness } from "./tardiness.ts";
import { timedBackend } from "./timed-backend.ts";

/** A backend of a store, as everybody sees it. */
export interface Member {
    readonly config: BackendConfig;
    /** While it is down, all requests are refused at once, with the reason. */
    readonly backend: Backend;
    /** Since when it does not answer; undefined while it does. */
    readonly downSinceMs: number | undefined;
    readonly breaker: { readonly state: BreakerState; readonly reason: string; readonly retryMs: number; readonly openings: number };
    /** What it said last. */
    readonly info: NamespaceInfo | undefined;
    /** Why nothing new is placed on it; undefined when something is. */
    readonly refusal: string | undefined;
    /** Of requests, by kind. */
    readonly figures: Figures;
    /** Of reads. */
    readonly latency: Latency;
    /** Of writes. */
    readonly tardiness: Tardiness;
    /** That may still be written to it. */
    readonly freeBytes: number;
    /** Requests that are on their way, and that wait. */
    readonly load: { readonly running: number; readonly waiting: number };
    /** For whoever has nobody else to ask: true when it answers. One probe at a time, whoever waits for it. */
    tryAgain(): Promise<boolean>;
}

export class PoolMember implements Member {
    config: BackendConfig;
    readonly backend: Backend;
    readonly breaker: Breaker;
    readonly figures: Figures;
    readonly latency: Latency;
    readonly tardiness: Tardiness;
    info: NamespaceInfo | undefined;
    private readonly surroundings: Surroundings;
    /** A probe does not stand in line with other requests. */
    private readonly probed: Backend;
    private readonly bounded: BoundedBackend;
    private answers = 0;
    /** Written since the last probe. */
    private writtenBytes = 0;
    private underWay: Promise<void> | undefined;
    private cancelProbe: (() => void) | undefined;
    private closed = false;

    constructor(config: BackendConfig, backend: Backend, surroundings: Surroundings) {
        this.config = config;
        this.surroundings = surroundings;
        this.breaker = new Breaker(surroundings);
        this.figures = new Figures(surroundings.clock);
        this.latency = new Latency(surroundings.clock);
        this.tardiness = new Tardiness(surroundings.clock);
        this.probed = timedBackend(backend, this.figures);
        this.bounded = new BoundedBackend(backend, surroundings.clock);
        this.backend = this.guarded(timedBackend(this.bounded, this.figures));
    }

    get downSinceMs(): number | undefined {
        return this.breaker.openedMs;
    }

    get load(): { readonly running: number; readonly waiting: number } {
        return this.bounded.load;
    }

    get refusal(): string | undefined {
        const { info, config } = this;
        if (config.state !== "active") return `it is ${config.state}`;
        if (!this.breaker.isClosed) return `it does not answer: ${this.breaker.reason}`;
        if (info === undefined) return "it has not answered yet";
        if (info.state !== "ok") return `it is ${info.state}`;
        if (info.mode !== "user") return `its mode is ${info.mode}, not user`;
        if (info.durability !== "commit" && !config.allowUnsafe) return `its durability is ${info.durability ?? "not known"}, not commit`;
        return this.freeBytes > 0 ? undefined : "it is full";
    }

    candidate(): Candidate {
        const { id, group, disk, weight } = this.config;
        return { id, group, disk, weight, freeBytes: this.freeBytes };
    }

    async tryAgain(): Promise<boolean> {
        if (!this.breaker.isClosed) await this.probe();
        return this.breaker.isClosed;
    }

    /** Asks it how it is, and again after a while. */
    probe(): Promise<void> {
        this.underWay ??= this.ask().finally(() => {
            this.underWay = undefined;
            this.plan();
        });
        return this.underWay;
    }

    close(): void {
        this.closed = true;
        this.cancelProbe?.();
        this.backend.close();
    }

    private plan(): void {
        this.cancelProbe?.();
        if (this.closed) return;
        const { clock } = this.surroundings;
        const ms = this.breaker.isClosed ? jittered(this.surroundings, PROBE_MS) : Math.max(0, this.breaker.retryMs - clock.nowMs());
        this.cancelProbe = clock.after(ms, () => void this.probe());
    }

    private async ask(): Promise<void> {
        const before = this.answers;
        this.breaker.probing();
        try {
            this.info = await inTime(this.surroundings.clock, PROBE_ANSWER_MS, this.probed.info());
            this.writtenBytes = 0;
            this.breaker.probeSucceeded();
        } catch (error) {
            if (!(error instanceof BackendError)) throw error;
            this.breaker.probeFailed(error, this.answers === before);
        }
    }

    get freeBytes(): number {
        if (this.info === undefined) return 0;
        const { limitBytes, usedBytes, diskFreeBytes } = this.info;
        const quota = limitBytes === undefined ? Number.POSITIVE_INFINITY : limitBytes - usedBytes;
        return Math.max(0, Math.min(quota, diskFreeBytes - RESERVE_BYTES) - this.writtenBytes);
    }

    private guarded(backend: Backend): Backend {
        return {
            get: (key) => this.guard(() => backend.get(key)),
            set: (key, value) => {
                this.writtenBytes += value.length;
                return this.guard(() => backend.set(key, value));
            },
            delete: (key) => this.guard(() => backend.delete(key)),
            scan: (cursor) => this.guard(() => backend.scan(cursor)),
            info: () => this.guard(() => backend.info()),
            close: () => backend.close(),
        };
    }

    private async guard<T>(operation: () => Promise<T>): Promise<T> {
        const { breaker } = this;
        if (!breaker.isClosed) throw new BackendError("unreachable", `it is left alone for a while: ${breaker.reason}`);
        try {
            const result = await operation();
            this.answers++;
            breaker.succeeded();
            return result;
        } catch (error) {
            if (error instanceof BackendError) this.failed(error);
            throw error;
        }
    }

    private failed(error: BackendError): void {
        if (error.failure === "damaged") {
            // It has answered, and other values are well.
            this.breaker.succeeded();
            return;
        }
        if (error.failure === "full") {
            // Nothing more until the next probe says how much room there is.
            this.writtenBytes = Number.POSITIVE_INFINITY;
            return;
        }
        const wasClosed = this.breaker.isClosed;
        this.breaker.failed(error);
        if (wasClosed && !this.breaker.isClosed && this.underWay === undefined) this.plan();
    }
}
