import { type Command, InvalidArgumentError } from "commander";
import { ZeroformError } from "../protocol/errors.ts";
import { isLife, type Life } from "../protocol/ids.ts";

/** A command line that cannot be meant: another exit status than what failed. */
export class WrongUse extends ZeroformError {
    constructor(message: string, hint: string) {
        super({ code: "INVALID", message, hint });
    }
}

export interface Explanation {
    /** What the summary leaves unsaid; a paragraph an entry. */
    readonly details?: readonly string[];
    /** Command lines, each with what it does. */
    readonly examples: readonly (readonly [line: string, does: string])[];
    /** Where it differs from what all commands have in common. */
    readonly exits?: readonly (readonly [status: string, means: string])[];
}

const USUAL_EXITS: readonly (readonly [string, string])[] = [
    ["0", "done"],
    ["1", "it failed, or a node was not reached"],
    ["2", "wrong use: an unknown command, option or value"],
];

/** Adds to a command's `--help` what a manual page has below the options. */
export const explain = (command: Command, { details = [], examples, exits = USUAL_EXITS }: Explanation): Command =>
    command.addHelpText(
        "after",
        [
            ...details.map((paragraph) => `\n${wrapped(paragraph)}`),
            "\nExamples:",
            ...examples.map(([line, does]) => `  ${line}\n      ${does}`),
            "\nExit status:",
            ...exits.map(([status, means]) => `  ${status.padEnd(4)} ${means}`),
        ].join("\n"),
    );

const WIDTH = 80;

const wrapped = (text: string): string => {
    const lines = [""];
    for (const word of text.split(" ")) {
        const last = lines.at(-1) ?? "";
        if (last !== "" && last.length + 1 + word.length > WIDTH) lines.push(word);
        else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
    }
    return lines.join("\n");
};

/** A life given on the command line. */
export const parseLife = (text: string): Life => {
    if (isLife(text)) return text;
    throw new InvalidArgumentError("It is not a life; `zeroform status` and `zeroform trash list` show them.");
};

/** A count given on the command line. */
export const parseCount = (text: string): number => {
    if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("Write a whole number.");
    return Number(text);
};
