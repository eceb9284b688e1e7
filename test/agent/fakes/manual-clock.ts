import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../../agent/clock.ts";

/** Turns of the event loop after which everything that needs no time has happened. */
const TURNS = 12;

/** Lets happen what needs no time. */
export const settle = async (): Promise<void> => {
    for (let count = 0; count < TURNS; count++) await turn();
};

/** Time that passes when a test says so. */
export class ManualClock implements Clock {
    #now = 1_700_000_000_000;
    #timers: { at: number; readonly act: () => void }[] = [];

    now(): number {
        return this.#now;
    }

    after(ms: number, act: () => void): () => void {
        const timer = { at: this.#now + ms, act };
        this.#timers.push(timer);
        return () => {
            this.#timers = this.#timers.filter((each) => each !== timer);
        };
    }

    /** Somebody sets the clock back; timers run on as if nothing had happened. */
    setBack(ms: number): void {
        this.#now -= ms;
        for (const timer of this.#timers) timer.at -= ms;
    }

    /** Time passes while nothing happens, as on a machine that was asleep; then what is due happens once. */
    async leap(ms: number): Promise<void> {
        await settle();
        this.#now += ms;
        await this.advance(0);
    }

    /** Lets time pass, everything that is due happening in its order. */
    async advance(ms: number): Promise<void> {
        const end = this.#now + ms;
        await settle();
        for (;;) {
            const next = this.#timers
                .filter(({ at }) => at <= end)
                .sort((one, other) => one.at - other.at)
                .at(0);
            if (!next) break;
            this.#timers = this.#timers.filter((each) => each !== next);
            this.#now = Math.max(this.#now, next.at);
            next.act();
            await settle();
        }
        this.#now = end;
    }
}
