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
