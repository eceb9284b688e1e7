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
    boot = "boot 1";
    #uptime = 0;
    /** What the clock on the wall shows beyond that. */
    #ahead = 1_700_000_000_000;
    #timers: { at: number; readonly act: () => void }[] = [];

    now(): number {
        return this.#uptime + this.#ahead;
    }

    uptime(): number {
        return this.#uptime;
    }

    after(ms: number, act: () => void): () => void {
        const timer = { at: this.#uptime + ms, act };
        this.#timers.push(timer);
        return () => {
            this.#timers = this.#timers.filter((each) => each !== timer);
        };
    }

    /** Somebody sets the clock, so much forward or back; timers run on as if nothing had happened. */
    set(ms: number): void {
        this.#ahead += ms;
    }

    /** The machine was off for so long; nothing of what waited is left. */
    reboot(offMs: number): void {
        this.boot = `${this.boot}+`;
        this.#ahead += this.#uptime + offMs;
        this.#uptime = 0;
        this.#timers = [];
    }

    /** Time passes while nothing happens; then what is due happens once. */
    async leap(ms: number): Promise<void> {
        await settle();
        this.#uptime += ms;
        await this.advance(0);
    }

    /** Lets time pass, everything that is due happening in its order. */
    async advance(ms: number): Promise<void> {
        const end = this.#uptime + ms;
        await settle();
        for (;;) {
            const next = this.#timers
                .filter(({ at }) => at <= end)
                .sort((one, other) => one.at - other.at)
                .at(0);
            if (!next) break;
            this.#timers = this.#timers.filter((each) => each !== next);
            this.#uptime = Math.max(this.#uptime, next.at);
            next.act();
            await settle();
        }
        this.#uptime = end;
    }
}
