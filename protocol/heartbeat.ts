/** How often a caller says that it is still there. */
export const BEAT_MS = 5_000;
/** So many that did not come: what was on the way when a link broke comes later than they, or never. */
const MISSED_MAX = 6;

/** Says at once and then again and again that this end is there; the answer ends that. Keeps no process alive. */
export const beat = (say: () => void, everyMs = BEAT_MS): (() => void) => {
    say();
    const timer = setInterval(say, everyMs);
    timer.unref();
    return () => clearInterval(timer);
};

/**
 * Hears a caller's beats, and calls `gone` when they stay away: a machine that vanished says no farewell, and its connection would stay open
 * for hours. A caller that never beats is of a release that does not, and is left alone. Counts looks and not time: a process that was
 * itself held up takes one look afterwards, and then reads what has come meanwhile.
 */
export class Pulse {
    readonly #gone: () => void;
    readonly #everyMs: number;
    #timer: NodeJS.Timeout | undefined;
    #missed = 0;

    constructor(gone: () => void, everyMs = BEAT_MS) {
        this.#gone = gone;
        this.#everyMs = everyMs;
    }

    heard(): void {
        this.#missed = 0;
        this.#timer ??= setInterval(() => this.#look(), this.#everyMs);
    }

    end(): void {
        clearInterval(this.#timer);
    }

    #look(): void {
        this.#missed++;
        if (this.#missed <= MISSED_MAX) return;
        this.end();
        this.#gone();
    }
}
