import { type Backend, BackendError, type NamespaceInfo, type ScanPage } from "./backend.ts";
import { BACKEND_REQUESTS, BACKEND_WAITING, OPERATION_MS } from "./limits.ts";
import type { Clock } from "./surroundings.ts";

/** A backend whose operations end in time, and of which only so many run at once; the others wait in order, as long as one may run at most. */
export class BoundedBackend implements Backend {
    private readonly inner: Backend;
    private readonly clock: Clock;
    private running = 0;
    private readonly waiting: { readonly start: () => void; readonly refuse: (error: Error) => void }[] = [];

    constructor(inner: Backend, clock: Clock) {
        this.inner = inner;
        this.clock = clock;
    }

    get load(): { readonly running: number; readonly waiting: number } {
        return { running: this.running, waiting: this.waiting.length };
    }

    get(key: Uint8Array): Promise<Buffer | undefined> {
        return this.bounded(() => this.inner.get(key));
    }

    set(key: Uint8Array, value: Uint8Array): Promise<void> {
        return this.bounded(() => this.inner.set(key, value));
    }

    delete(key: Uint8Array): Promise<void> {
        return this.bounded(() => this.inner.delete(key));
    }

    scan(cursor?: Uint8Array): Promise<ScanPage> {
        return this.bounded(() => this.inner.scan(cursor));
    }

    info(): Promise<NamespaceInfo> {
        return this.bounded(() => this.inner.info());
    }

    close(): void {
        this.inner.close();
        for (const { refuse } of this.waiting.splice(0)) refuse(new BackendError("unreachable", "the engine has let go of it"));
    }

    /** What waits too long has failed as well: a backend that takes ten seconds for each answer would hold a queue up for minutes. */
    private turn(): Promise<void> {
        return new Promise((resolve, reject) => {
            const cancel = this.clock.after(OPERATION_MS, () => {
                this.waiting.splice(this.waiting.indexOf(entry), 1);
                reject(new BackendError("late", `no turn for ${OPERATION_MS / 1000} s behind other requests`));
            });
            const ended = (settle: () => void) => {
                cancel();
                settle();
            };
            const entry = { start: () => ended(resolve), refuse: (error: Error) => ended(() => reject(error)) };
            this.waiting.push(entry);
        });
    }

    private async bounded<T>(operation: () => Promise<T>): Promise<T> {
        if (this.running >= BACKEND_REQUESTS) {
            if (this.waiting.length >= BACKEND_WAITING) throw new BackendError("late", `${BACKEND_WAITING} requests wait for it already`);
            await this.turn();
        } else this.running++;
        try {
            return await inTime(this.clock, OPERATION_MS, operation());
        } finally {
            // A place is handed on, not given back, so that nobody who comes now overtakes.
            const next = this.waiting.shift();
            if (next) next.start();
            else this.running--;
        }
    }
}

/** Rejects with `late` when it takes longer. */
export function inTime<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
        const cancel = clock.after(ms, () => reject(new BackendError("late", `no answer for ${ms / 1000} s`)));
        promise.then(resolve, reject).finally(cancel);
    });
}
