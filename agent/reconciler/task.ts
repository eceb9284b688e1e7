import type { ZeroformError } from "../../protocol/errors.ts";
import type { Life } from "../../protocol/ids.ts";
import type { AnyPrimitive } from "../../schema/primitive.ts";
import type { Work } from "../os/os.ts";
import type { Observation } from "../primitives/driver.ts";
import type { Values } from "../store/rows.ts";

/** How waiting for a resource ended. */
export type Outcome =
    | { readonly state: "ready" }
    /** Removed, by whoever wanted that. */
    | { readonly state: "gone" }
    /** It will not be ready without something changing, or the time is over. */
    | { readonly state: "unfinished"; readonly failure: ZeroformError | undefined };

/** What a look has shown of a resource beside its state. */
export interface Seen {
    readonly outputs: Values;
    /** Inputs that are other in reality than desired, and not less good. */
    readonly actual?: Values;
    /** What somebody should know, although it is ready. */
    readonly notes?: readonly string[];
}

/** Work on one life: what is going on and what was seen, in memory only. */
export class Task {
    readonly life: Life;
    /** Counts beginnings and ends of work: a look that lies across one does not count. */
    version = 0;
    running: Promise<void> | undefined;
    abort: AbortController | undefined;
    failures = 0;
    failure: ZeroformError | undefined;
    callOffRetry: (() => void) | undefined;
    /** What was last seen of it. */
    seen: Seen | undefined;
    /** What it was before what is being changed now; lost with the agent, as only an event tells it. */
    before: Values | undefined;
    /** A data-bearing resource that was ready once, of which nothing is left. */
    gone = false;
    readonly #waiting = new Set<(outcome: Outcome) => void>();
    readonly #listening = new Set<Work["progress"]>();
    #doing: string | undefined;

    constructor(life: Life) {
        this.life = life;
    }

    /** Tells those who wait. */
    settle(outcome: Outcome): void {
        const waiting = [...this.#waiting];
        this.#waiting.clear();
        for (const hear of waiting) hear(outcome);
    }

    /** Remembers what a look has shown; what was known before stays when it shows nothing. */
    see(seen: Observation<AnyPrimitive>): void {
        if (seen.state === "ready") this.seen = seen;
        else if (seen.state === "drifted" && seen.outputs) this.seen = { outputs: seen.outputs };
    }

    wait(hear: (outcome: Outcome) => void): () => void {
        this.#waiting.add(hear);
        return () => this.#waiting.delete(hear);
    }

    progress(doing: string, moved?: true): void {
        this.#doing = doing;
        for (const hear of this.#listening) hear(doing, moved);
    }

    /** A new step begins: what the last one said is no longer being done. */
    stepBegins(): void {
        this.#doing = undefined;
    }

    /** Hears at once what is being done, when something is. */
    listen(hear: Work["progress"]): () => void {
        this.#listening.add(hear);
        if (this.running && this.#doing) hear(this.#doing);
        return () => this.#listening.delete(hear);
    }

    /** Forgets failures: the next attempt is a first one. */
    forgive(): void {
        this.callOffRetry?.();
        this.callOffRetry = undefined;
        this.failures = 0;
        this.failure = undefined;
    }
}
