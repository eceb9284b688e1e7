import type { BackendError } from "./backend.ts";
import { BREAKER_FLAP_MS, BREAKER_LONGEST_PAUSE_MS, BREAKER_PAUSE_MS, FAILURES_TO_OPEN, OUTCOMES_LOOKED_AT } from "./limits.ts";
import { jittered, type Surroundings } from "./surroundings.ts";

/** `closed`: it is asked; `open`: it is left alone until `retryMs`; `half-open`: one probe is on its way, which decides. */
export type BreakerState = "closed" | "open" | "half-open";

/**
 * The circuit breaker of one backend, from what became of real requests and of probes. It opens when there is no connection, after some failures in a row, when
 * half of the last requests failed, or by a failed probe; only a probe closes it, since an answer that was under way says nothing of now. Each failed probe
 * doubles the pause before the next one, also for a backend that falls again soon after it came back.
 */
export class Breaker {
    private readonly surroundings: Surroundings;
    private readonly outcomes: boolean[] = [];
    private failuresInRow = 0;
    private pauses = 0;
    private closedMs = Number.NEGATIVE_INFINITY;
    state: BreakerState = "closed";
    /** Since when it has not been closed. */
    openedMs: number | undefined;
    /** When it is to be probed again. */
    retryMs = 0;
    /** The failure that opened it, or the last one of a probe since. */
    reason = "";
    /** How often it has opened. */
    openings = 0;

    constructor(surroundings: Surroundings) {
        this.surroundings = surroundings;
    }

    get isClosed(): boolean {
        return this.state === "closed";
    }

    succeeded(): void {
        if (this.isClosed) this.note(true);
    }

    failed(error: BackendError): void {
        if (!this.isClosed) return;
        this.note(false);
        const failures = this.outcomes.filter((isSuccess) => !isSuccess).length;
        const isHalf = this.outcomes.length === OUTCOMES_LOOKED_AT && 2 * failures >= OUTCOMES_LOOKED_AT;
        if (error.failure === "unreachable" || this.failuresInRow >= FAILURES_TO_OPEN || isHalf) this.open(error);
    }

    probing(): void {
        if (this.state === "open") this.state = "half-open";
    }

    probeSucceeded(): void {
        if (this.isClosed) {
            this.succeeded();
            return;
        }
        this.state = "closed";
        this.openedMs = undefined;
        this.closedMs = this.surroundings.clock.nowMs();
        this.outcomes.length = 0;
        this.failuresInRow = 0;
    }

    /** `isAlone`: nothing else was answered while the probe waited. Otherwise the probe may only have had to stand in line. */
    probeFailed(error: BackendError, isAlone: boolean): void {
        if (this.isClosed && !isAlone) this.failed(error);
        else this.open(error);
    }

    private open({ message }: BackendError): void {
        const nowMs = this.surroundings.clock.nowMs();
        if (this.openedMs === undefined) {
            this.openings++;
            this.openedMs = nowMs;
            if (nowMs - this.closedMs > BREAKER_FLAP_MS) this.pauses = 0;
        }
        this.state = "open";
        this.reason = message;
        this.retryMs = nowMs + jittered(this.surroundings, Math.min(BREAKER_LONGEST_PAUSE_MS, BREAKER_PAUSE_MS * 2 ** this.pauses));
        this.pauses++;
    }

    private note(isSuccess: boolean): void {
        this.outcomes.push(isSuccess);
        if (this.outcomes.length > OUTCOMES_LOOKED_AT) this.outcomes.shift();
        this.failuresInRow = isSuccess ? 0 : this.failuresInRow + 1;
    }
}
