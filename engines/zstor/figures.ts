import type { Clock } from "./surroundings.ts";

/** Upper bounds of the steps in which times are counted, in seconds; the last step has none. */
export const TIME_STEPS = [0.001, 0.004, 0.016, 0.064, 0.25, 1, 4, 16];

/** What operations have come to since the front end was started. */
export interface Figure {
    readonly done: number;
    readonly failed: number;
    readonly bytes: number;
    readonly seconds: number;
    /** How many took at most as long as each of `TIME_STEPS`, and longer. */
    readonly steps: readonly number[];
}

const NONE: Figure = { done: 0, failed: 0, bytes: 0, seconds: 0, steps: new Array(TIME_STEPS.length + 1).fill(0) };

/** Counts and times by name. */
export class Figures {
    private readonly clock: Clock;
    private readonly figures = new Map<string, { -readonly [field in keyof Figure]: Figure[field] } & { steps: number[] }>();

    constructor(clock: Clock) {
        this.clock = clock;
    }

    /** Notes how long the work takes, and the bytes it says that it moved. */
    async time<T>(name: string, bytesOf: (result: T) => number, work: () => Promise<T>): Promise<T> {
        const beganMs = this.clock.steadyMs();
        try {
            const result = await work();
            this.add(name, beganMs, bytesOf(result));
            return result;
        } catch (error) {
            this.add(name, beganMs, undefined);
            throw error;
        }
    }

    /** The same of work that is done at once. */
    run<T>(name: string, bytes: number, work: () => T): T {
        const beganMs = this.clock.steadyMs();
        const result = work();
        this.add(name, beganMs, bytes);
        return result;
    }

    of(name: string): Figure {
        return this.figures.get(name) ?? NONE;
    }

    all(): IterableIterator<[string, Figure]> {
        return this.figures.entries();
    }

    /** `bytes` undefined: it failed. */
    private add(name: string, beganMs: number, bytes: number | undefined): void {
        const seconds = (this.clock.steadyMs() - beganMs) / 1000;
        let figure = this.figures.get(name);
        if (figure === undefined) {
            figure = { ...NONE, steps: [...NONE.steps] };
            this.figures.set(name, figure);
        }
        if (bytes === undefined) figure.failed++;
        else figure.done++;
        figure.bytes += bytes ?? 0;
        figure.seconds += seconds;
        const at = TIME_STEPS.findIndex((bound) => seconds <= bound);
        const step = at < 0 ? TIME_STEPS.length : at;
        figure.steps[step] = (figure.steps[step] ?? 0) + 1;
    }
}
