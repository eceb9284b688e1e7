import type { Clock } from "../../engines/zstor/surroundings.ts";

/** Where all virtual time begins: Unix milliseconds. */
const START_MS = 1_800_000_000_000;

/** A clock that moves on when nothing can happen any more without it. */
export class VirtualClock implements Clock {
    private now = START_MS;
    private serial = 0;
    private planned: { readonly at: number; readonly serial: number; readonly run: () => void }[] = [];

    nowMs(): number {
        return Math.floor(this.now);
    }

    steadyMs(): number {
        return this.now - START_MS;
    }

    after(ms: number, run: () => void): () => void {
        const entry = { at: this.now + ms, serial: this.serial++, run };
        const index = this.planned.findIndex(({ at }) => at > entry.at);
        this.planned.splice(index < 0 ? this.planned.length : index, 0, entry);
        return () => {
            const at = this.planned.indexOf(entry);
            if (at >= 0) this.planned.splice(at, 1);
        };
    }

    /** Lets time go on until the work is done; gives up when only waiting for nothing, or after that much virtual time. */
    async run<T>(work: Promise<T>, longestMs = 24 * 3_600_000): Promise<T> {
        let settled = false;
        const watched = work.finally(() => {
            settled = true;
        });
        watched.catch(() => undefined);
        const endMs = this.now + longestMs;
        for (;;) {
            // All promises that can go on without time have gone on when this comes back.
            await new Promise((resolve) => setImmediate(resolve));
            if (settled) return watched;
            const next = this.planned.shift();
            if (next === undefined) throw new Error("everything waits for nothing");
            if (next.at > endMs) throw new Error(`not done after ${longestMs / 1000} s of virtual time`);
            this.now = Math.max(this.now, next.at);
            next.run();
        }
    }

    pass(ms: number): Promise<void> {
        return this.run(new Promise((resolve) => this.after(ms, resolve)), ms);
    }
}
