import { ZeroformError } from "../../protocol/errors.ts";

/** What a piece of work may use while it runs. */
export interface Work {
    /** Aborted when nobody waits for the work any more. */
    readonly signal: AbortSignal;
    /** Says what is being done, to all who wait. */
    progress(doing: string): void;
    /** Data have moved. */
    moved(): void;
    /** What stands in the way at the moment: what those are told whose time runs out. */
    hindered(by: ZeroformError | undefined): void;
    /** What it is if nothing more comes; says nothing where it is known already what stood in the way. */
    suspected(by: ZeroformError): void;
}

/** Who waits, and what he is told meanwhile. */
export interface Listener {
    readonly onProgress?: ((doing: string) => void) | undefined;
    readonly onMoved?: (() => void) | undefined;
}

/** Work that many wait for and that is done once. Each waits as long as it wants; the work ends when the last one leaves. */
export class SharedWork<T> {
    readonly #result: Promise<T>;
    readonly #ending = new AbortController();
    readonly #listeners = new Set<Listener>();
    readonly #name: string;
    #doing = "";
    #hindrance: ZeroformError | undefined;
    #suspicion: ZeroformError | undefined;
    #waiting = 0;

    /** `name`: what is waited for, "alpha". */
    constructor(name: string, run: (work: Work) => Promise<T>) {
        this.#name = name;
        this.#result = run({
            signal: this.#ending.signal,
            progress: (doing) => {
                if (doing === this.#doing) return;
                this.#doing = doing;
                for (const { onProgress } of this.#listeners) onProgress?.(doing);
            },
            moved: () => {
                for (const { onMoved } of this.#listeners) onMoved?.();
            },
            hindered: (by) => {
                this.#hindrance = by;
                this.#suspicion = undefined;
            },
            suspected: (by) => {
                this.#suspicion = by;
            },
        });
        this.#result.catch(() => undefined);
    }

    /** Settles with the work, whoever waits. */
    get settled(): Promise<T> {
        return this.#result;
    }

    /** Nobody waits for it any more: it is ending, and a newcomer needs new work. */
    get isAbandoned(): boolean {
        return this.#ending.signal.aborted;
    }

    async join(signal: AbortSignal, given: Listener = {}): Promise<T> {
        if (signal.aborted) throw this.#outOfTime(signal);
        const { promise: aborted, reject } = Promise.withResolvers<never>();
        const giveUp = () => reject(this.#outOfTime(signal));
        // Each waiter counts, also where two say the same.
        const listener = { ...given };
        signal.addEventListener("abort", giveUp, { once: true });
        this.#listeners.add(listener);
        if (this.#doing !== "") given.onProgress?.(this.#doing);
        this.#waiting += 1;
        try {
            return await Promise.race([this.#result, aborted]);
        } finally {
            signal.removeEventListener("abort", giveUp);
            this.#listeners.delete(listener);
            this.#waiting -= 1;
            if (this.#waiting === 0) this.#ending.abort();
        }
    }

    /** Whoever gives up is told what was in the way, since that is why; where nothing was, how far it had come. */
    #outOfTime(signal: AbortSignal): ZeroformError {
        const reason: unknown = signal.reason;
        const hindrance = this.#hindrance ?? this.#suspicion;
        if (hindrance) return hindrance;
        if (reason instanceof ZeroformError) return reason;
        if (!(reason instanceof Error) || reason.name !== "TimeoutError")
            return new ZeroformError({ code: "CANCELLED", message: "cancelled" }, reason);
        const during = this.#doing === "" ? "" : ` while ${this.#doing}`;
        return new ZeroformError({ code: "TIMEOUT", message: `time ran out${during}`, node: this.#name, retryable: true }, reason);
    }
}

/** Tasks one after the other. */
export class Turns {
    #last: Promise<unknown> = Promise.resolve();

    run<T>(task: () => Promise<T>): Promise<T> {
        const turn = this.#last.then(task, task);
        this.#last = turn.catch(() => undefined);
        return turn;
    }
}
