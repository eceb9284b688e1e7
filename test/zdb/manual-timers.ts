import type { Timers } from "../../engines/zdb/syncer.ts";

/** A clock that moves when the test says so. */
export class ManualTimers implements Timers {
    private now = 0;
    private planned: { readonly at: number; readonly run: () => void }[] = [];

    nowMs(): number {
        return this.now;
    }

    after(ms: number, run: () => void): () => void {
        const entry = { at: this.now + ms, run };
        this.planned.push(entry);
        return () => {
            this.planned = this.planned.filter((other) => other !== entry);
        };
    }

    get pending(): number {
        return this.planned.length;
    }

    advance(ms: number): void {
        const end = this.now + ms;
        for (;;) {
            const next = this.planned.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
            if (!next) break;
            this.planned = this.planned.filter((other) => other !== next);
            this.now = next.at;
            next.run();
        }
        this.now = end;
    }
}
