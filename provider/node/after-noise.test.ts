import { PassThrough } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NOISE_BYTES_MAX, skipNoise } from "./after-noise.ts";

const MARKERS = ["rpc-1\n", "probe-1\n"];

/** The stream's remaining text, once it has ended. */
const rest = async (stream: PassThrough): Promise<string> => {
    let text = "";
    stream.setEncoding("utf8");
    for await (const chunk of stream) text += chunk;
    return text;
};

describe("noise before a marker", () => {
    it("is skipped however the bytes are cut", async () => {
        await fc.assert(
            fc.asyncProperty(
                fc.string({ maxLength: 40 }),
                fc.string({ maxLength: 40 }),
                fc.integer({ min: 1, max: 9 }),
                async (noise, payload, size) => {
                    fc.pre(!MARKERS.some((marker) => `${noise}`.includes(marker)));
                    const bytes = Buffer.from(`${noise}probe-1\n${payload}`);
                    const stream = new PassThrough();
                    const found = skipNoise(stream, MARKERS);
                    for (let at = 0; at < bytes.length; at += size) stream.write(bytes.subarray(at, at + size));
                    stream.end();
                    expect(await found).toBe("probe-1\n");
                    expect(await rest(stream)).toBe(Buffer.from(payload).toString());
                },
            ),
        );
    });

    it("ends at the first of two markers", async () => {
        const stream = new PassThrough();
        stream.end("hello\nrpc-1\nprobe-1\nx");
        expect(await skipNoise(stream, MARKERS)).toBe("rpc-1\n");
        expect(await rest(stream)).toBe("probe-1\nx");
    });

    it("without a marker ends with the stream, and at a limit", async () => {
        const short = new PassThrough();
        short.end("This account is currently not available.\n");
        expect(await skipNoise(short, MARKERS)).toBeUndefined();
        const endless = new PassThrough();
        const found = skipNoise(endless, MARKERS);
        endless.write(Buffer.alloc(NOISE_BYTES_MAX + 1, "y"));
        expect(await found).toBeUndefined();
        endless.destroy();
    });

    it("survives a stream that breaks", async () => {
        const stream = new PassThrough();
        const found = skipNoise(stream, MARKERS);
        stream.destroy(new Error("reset"));
        expect(await found).toBeUndefined();
    });
});
