import type { Clock } from "./surroundings.ts";

/** What operations have come to since the front end was started. */
export interface Figure {
    readonly done: number;
    readonly failed: number;
    readonly bytes: number;
    readonly seconds: number;
}

const NONE: Figure = { done: 0, failed: 0, bytes: 0, seconds: 0 };

/** Counts and times by name. */
export class Figures {
    private readonly clock: Clock;
    private readonly figures = new Map<string, Figure>();

    constructor(clock: Clock) {
        this.clock = clock;
    }

    /** Notes how long the work takes, and the bytes it says that it moved. */
    async time<T>(name: string, bytesOf: (result: T) => number, work: () => Promise<T>): Promise<T> {
        const beganMs = this.clock.steadyMs();
        try {
            const result = await work();
            this.add(name, { done: 1, failed: 0, bytes: bytesOf(result), seconds: this.since(beganMs) });
            return result;
        } catch (error) {
            this.add(name, { done: 0, failed: 1, bytes: 0, seconds: this.since(beganMs) });
            throw error;
        }
    }

    of(name: string): Figure {
        return this.figures.get(name) ?? NONE;
    }

    all(): IterableIterator<[string, Figure]> {
        return this.figures.entries();
    }

    private since(beganMs: number): number {
        return (this.clock.steadyMs() - beganMs) / 1000;
    }

    private add(name: string, more: Figure): void {
        const { done, failed, bytes, seconds } = this.of(name);
        this.figures.set(name, {
            done: done + more.done,
            failed: failed + more.failed,
            bytes: bytes + more.bytes,
            seconds: seconds + more.seconds,
        });
    }
}
