import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

/** The lines of a stream, as fast as they are taken. */
export async function* linesOf(stream: Readable): AsyncGenerator<string> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stream) {
        const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        yield* lines;
    }
    if (rest !== "") yield rest;
}

/** Prints no faster than it is read. */
export const print = async (text: string, to: Writable = process.stdout): Promise<void> => {
    if (!to.write(`${text}\n`)) await once(to, "drain");
};

/** Text of somebody else as a terminal may show it: what would move the cursor or change the terminal is spelled out. */
export const harmless = (text: string): string =>
    text.replace(/(?![\t\n])\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
