import { asZeroformError, type ErrorFacts, ZeroformError } from "../../protocol/errors.ts";
import { formatDuration } from "../../schema/quantity.ts";
import type { Clock, Engine } from "./surroundings.ts";

/** One try of an operation. */
export interface Attempt {
    readonly signal: AbortSignal;
    /** Until the operation's deadline. */
    readonly remainingMs: () => number;
    readonly say: (doing: string) => void;
    /** Data have moved: the deadline waits as long as they do. */
    readonly moved: () => void;
}

export interface Patience {
    readonly timeoutMs: number;
    /** The user has set it. */
    readonly isGiven?: boolean;
    /** What the user can set to wait longer. */
    readonly setting?: string | undefined;
    readonly clock: Clock;
    readonly engine: Engine;
    readonly urn: string;
    readonly context: Pick<ErrorFacts, "action" | "kind" | "name" | "node">;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;
/** No time runs out so soon after data have moved: a slow link takes as long as it takes. */
const STALLED_MS = 60_000;

/**
 * Works until it succeeds, fails for good, or its deadline passes. Only errors that say so are worth another try; before
 * each try the engine is asked for, since what an orphan does nobody saves. While data move, the deadline waits.
 */
export const persist = async <T>(patience: Patience, work: (attempt: Attempt) => Promise<T>): Promise<T> => {
    const { timeoutMs, clock, engine, urn, context } = patience;
    const began = clock.now();
    let deadline = began + timeoutMs;
    const expired = new AbortController();
    const { signal } = expired;
    const remainingMs = () => Math.max(0, deadline - clock.now());
    let takeBack: () => void = () => undefined;
    const expire = () => {
        if (remainingMs() === 0) expired.abort();
        else takeBack = clock.after(remainingMs(), expire);
    };
    expire();
    const moved = () => {
        deadline = Math.max(deadline, clock.now() + STALLED_MS);
    };
    /** What is said of the time in an error: all that there was, with what moving data added. */
    const allowed = () => ({ ...patience, timeoutMs: Math.max(timeoutMs, Math.round((deadline - began) / 1000) * 1000) });
    let last = "";
    const say = (doing: string) => {
        last = doing;
        engine.say(urn, doing);
    };
    try {
        for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
            await engine.assertAlive();
            try {
                return await work({ signal, remainingMs, say, moved });
            } catch (thrown) {
                const error = asZeroformError(thrown).with(context);
                if (signal.aborted) throw tooLate(allowed(), last, error);
                if (!error.retryable) throw error;
                const jitteredMs = pauseMs * (0.75 + Math.random() / 2);
                if (clock.now() + jitteredMs >= deadline) throw exhausted(allowed(), error);
                say(`${error.message}; trying again`);
                await clock.sleep(jitteredMs, signal).catch(() => {
                    throw exhausted(allowed(), error);
                });
            }
        }
    } finally {
        takeBack();
    }
};

const tooLate = (patience: Patience, doing: string, error: ZeroformError) => {
    if (error.code !== "CANCELLED") return exhausted(patience, error);
    const meanwhile = doing === "" ? "" : ` while ${doing}`;
    return new ZeroformError(
        {
            ...patience.context,
            code: "TIMEOUT",
            message: `not done after ${formatDuration(patience.timeoutMs)}${meanwhile}`,
            hint: longer(patience, "Look at `zeroform status`"),
        },
        error,
    );
};

/** The last error's own code and words: they say what is in the way. */
const exhausted = (patience: Patience, error: ZeroformError) =>
    new ZeroformError(
        {
            ...error.facts(),
            message: `${error.message} (tried for ${formatDuration(patience.timeoutMs)})`,
            hint: longer(patience, error.hint?.replace(/\.$/, "")),
        },
        error.cause,
    );

const longer = ({ setting }: Patience, hint: string | undefined): string | undefined => {
    if (setting === undefined) return hint === undefined ? undefined : `${hint}.`;
    return hint === undefined ? `Set ${setting} to wait longer.` : `${hint}, or set ${setting} to wait longer.`;
};
