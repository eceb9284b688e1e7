import { LARGE_VALUE_BYTES, LATENCY_SAMPLES, LATENCY_SAMPLES_RECENT, SLOW_FACTOR, SLOW_FOR_MS } from "./limits.ts";
import type { Clock } from "./surroundings.ts";

/** Small values take one round trip, large ones the width of the way: each is compared with its like. */
export const VALUE_SIZES = ["small", "large"] as const;
export type ValueSize = (typeof VALUE_SIZES)[number];

export function sizeOf(bytes: number): ValueSize {
    return bytes > LARGE_VALUE_BYTES ? "large" : "small";
}

/** How long one backend took for the last values that were read from it. */
export class Latency {
    private readonly clock: Clock;
    private readonly timings: Readonly<Record<ValueSize, Timing[]>> = { small: [], large: [] };

    constructor(clock: Clock) {
        this.clock = clock;
    }

    /** Of a request that begins now. */
    begin(size: ValueSize): Timing {
        return new Timing(this.clock, (timing) => {
            const all = this.timings[size];
            // One that was left alone for slowness, and is not slow any more, begins anew.
            if (this.isOld(all.at(-1)) && SLOW_FACTOR * timing.ms < quantileOf(recent(all), 0.5)) all.length = 0;
            all.push(timing);
            if (all.length > LATENCY_SAMPLES) all.shift();
        });
    }

    /** Undefined when there are too few to say. */
    quantile(size: ValueSize, share: number): number | undefined {
        const all = this.timings[size];
        return all.length < LATENCY_SAMPLES_RECENT ? undefined : quantileOf(all, share);
    }

    /** What the next one may take: the middle of the last few; undefined when nothing is known that still holds. */
    expectedMs(size: ValueSize): number | undefined {
        const all = this.timings[size];
        return this.isOld(all.at(-1)) ? undefined : quantileOf(recent(all), 0.5);
    }

    private isOld(last: Timing | undefined): boolean {
        return last === undefined || this.clock.steadyMs() - last.notedMs > SLOW_FOR_MS;
    }
}

/** One request. It counts when it is answered, or as soon as it is late: with what it has taken so far, which goes on. */
export class Timing {
    private readonly clock: Clock;
    private readonly beganMs: number;
    private readonly tell: (timing: Timing) => void;
    private endedMs: number | undefined;
    notedMs = Number.NEGATIVE_INFINITY;

    constructor(clock: Clock, tell: (timing: Timing) => void) {
        this.clock = clock;
        this.beganMs = clock.steadyMs();
        this.tell = tell;
    }

    get ms(): number {
        return (this.endedMs ?? this.clock.steadyMs()) - this.beganMs;
    }

    answered(): void {
        this.endedMs = this.clock.steadyMs();
        this.note();
    }

    /** A refusal that came soon says nothing of how long an answer takes. */
    failed(): void {
        this.endedMs = this.clock.steadyMs();
    }

    late(): void {
        this.note();
    }

    private note(): void {
        const isFirst = this.notedMs === Number.NEGATIVE_INFINITY;
        this.notedMs = this.clock.steadyMs();
        if (isFirst) this.tell(this);
    }
}

function recent(timings: readonly Timing[]): readonly Timing[] {
    return timings.slice(-LATENCY_SAMPLES_RECENT);
}

function quantileOf(timings: readonly Timing[], share: number): number {
    const sorted = timings.map(({ ms }) => ms).sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
