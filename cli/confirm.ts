import { createInterface } from "node:readline/promises";
import { ZeroformError } from "../protocol/errors.ts";

/** Asks a person on the terminal to type `word` before something that cannot be taken back; anywhere else the option `--yes` has to be there. */
export const confirm = async (question: string, word: string, isYes: boolean | undefined): Promise<void> => {
    if (isYes) return;
    if (!process.stdin.isTTY || !process.stderr.isTTY)
        throw new ZeroformError({
            code: "INVALID",
            message: `${question}, and there is no terminal to ask on`,
            hint: "Say --yes if that is meant.",
        });
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    try {
        const answer = await terminal.question(`${question}. Type ${word} to go on: `).catch(unanswered);
        if (answer?.trim() === word) return;
    } finally {
        terminal.close();
    }
    throw new ZeroformError({ code: "CANCELLED", message: "nothing was done" });
};

/** Ctrl-C and Ctrl-D, in a line of their own. */
const unanswered = (failure: unknown): undefined => {
    if (!(failure instanceof Error) || failure.name !== "AbortError") throw failure;
    console.error();
};
