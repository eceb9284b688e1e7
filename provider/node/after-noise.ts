import type { Readable } from "node:stream";

/** What login shells print (greetings, warnings) is skipped up to this much. */
export const NOISE_BYTES_MAX = 64 * 1024;

/**
 * Skips to the first of the markers and resolves to it; the stream then stands right behind it, paused.
 * Resolves to undefined when the stream ends, or when there is more noise than anybody prints, without a marker.
 */
export const skipNoise = (stream: Readable, markers: readonly string[]): Promise<string | undefined> => {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const wanted = markers.map((marker) => ({ marker, bytes: Buffer.from(marker) }));
    let seen = Buffer.alloc(0);
    const settle = (marker: string | undefined) => {
        stream.off("data", look);
        for (const event of ENDINGS) stream.off(event, end);
        resolve(marker);
    };
    const end = () => settle(undefined);
    const look = (chunk: Buffer) => {
        seen = Buffer.concat([seen, chunk]);
        const [first] = wanted
            .map(({ marker, bytes }) => ({ marker, at: seen.indexOf(bytes), length: bytes.length }))
            .filter(({ at }) => at >= 0)
            .sort((a, b) => a.at - b.at);
        if (!first) {
            if (seen.length > NOISE_BYTES_MAX) settle(undefined);
            return;
        }
        stream.pause();
        settle(first.marker);
        const rest = seen.subarray(first.at + first.length);
        if (rest.length > 0) stream.unshift(rest);
    };
    for (const event of ENDINGS) stream.on(event, end);
    stream.on("data", look);
    return promise;
};

const ENDINGS = ["end", "close", "error"] as const;
