import { ZeroformError } from "../protocol/errors.ts";
import type { Answered } from "./nodes.ts";
import { columns, harmless } from "./text.ts";

/** What was answered, by those who did. */
export const given = <T>(answers: readonly Answered<T>[]): readonly { readonly node: Answered<T>["node"]; readonly answer: T }[] =>
    answers.flatMap(({ node, answer }) => (answer instanceof ZeroformError ? [] : [{ node, answer }]));

/** Says which nodes were not reached, and lets the command end with that. */
export const sayUnreached = (answers: readonly Answered<unknown>[]): void => {
    for (const { node, answer } of answers) {
        if (!(answer instanceof ZeroformError)) continue;
        console.error(`${node.name} was not reached: ${harmless(answer.sentence())}`);
        process.exitCode = 1;
    }
};

/** Prints a table of what was answered. That there is `nothing` is only known when all have answered. */
export const printTable = (
    head: readonly string[],
    rows: readonly (readonly string[])[],
    answers: readonly Answered<unknown>[],
    nothing: string,
): void => {
    if (rows.length > 0) console.log(columns([head, ...rows]));
    else if (given(answers).length === answers.length) console.log(nothing);
};
