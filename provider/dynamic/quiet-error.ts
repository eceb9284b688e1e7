import { asZeroformError } from "../../protocol/errors.ts";
import type { Properties } from "../lifecycle/values.ts";

/** What the dynamic host turns into "exists, but could not be made ready". */
export interface PartialSuccess {
    readonly id: string;
    /** Complete, `__provider` included: the host adds nothing to these. */
    readonly properties: Properties;
    readonly reasons: readonly string[];
}

/**
 * Anything thrown, as the sentence that the user is to see: the host prints `${error}: ${error.stack}` of it once and the
 * engine its message once more. Only a defect has a stack worth reading, and only for those who ask for it.
 */
export const quietError = (thrown: unknown, debug: boolean, partial?: PartialSuccess): Error => {
    const error = asZeroformError(thrown);
    const sentence = withoutStackLines(error.sentence());
    const stack = debug && error.code === "INTERNAL" ? String((error.cause instanceof Error ? error.cause : error).stack) : "";
    const quiet = new Error(stack === "" ? sentence : `${sentence}\n${stack}`);
    quiet.stack = stack;
    quiet.toString = () => sentence;
    return partial === undefined ? quiet : Object.assign(quiet, partial);
};

/** Words of a program on the node, such as the end of its journal, may hold a stack, which nobody needs to run `pulumi up`. */
export const withoutStackLines = (text: string): string =>
    text
        .split("\n")
        .filter((line) => !/^\s+at /.test(line))
        .join("\n");
