import { ZeroformError } from "../protocol/errors.ts";
import { harmless } from "./text.ts";

/** One thing that `doctor` has looked at. `warning`: it works, or may work, but a person should know. */
export interface Check {
    readonly what: string;
    readonly state: "ok" | "warning" | "failed";
    readonly found: string;
    /** What to do about it. */
    readonly fix?: string;
}

export const ok = (what: string, found: string): Check => ({ what, state: "ok", found });
export const warning = (what: string, found: string, fix: string): Check => ({ what, state: "warning", found, fix });
export const failed = (what: string, found: string, fix: string): Check => ({ what, state: "failed", found, fix });

/** What is wrong as an error says it. */
export const refused = (what: string, error: ZeroformError): Check => ({
    what,
    state: "failed",
    found: error.message,
    ...(error.hint !== undefined && { fix: error.hint }),
});

/** A check that may throw what it looks for. */
export const tried = async (what: string, look: () => Promise<Check> | Check): Promise<Check> => {
    try {
        return await look();
    } catch (thrown) {
        if (thrown instanceof ZeroformError) return refused(what, thrown);
        throw thrown;
    }
};

const STATE_WIDTH = 7;

/** Checks as lines, with what to do below those that ask for it. */
export const checkLines = (checks: readonly Check[]): string => {
    const width = Math.max(...checks.map(({ what }) => what.length));
    return checks
        .flatMap(({ what, state, found, fix }) => [
            `  ${state.padEnd(STATE_WIDTH)}  ${what.padEnd(width)}  ${harmless(found)}`.trimEnd(),
            ...(fix === undefined ? [] : [`  ${" ".repeat(STATE_WIDTH)}  ${" ".repeat(width)}  -> ${harmless(fix)}`]),
        ])
        .join("\n");
};
