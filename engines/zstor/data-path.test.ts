import { createServer, connect as dial, type Socket } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { SeededRandom } from "../../test/zstor/random.ts";
import { type ChunkOwner, CODEC_PLAIN, CODEC_ZSTD, openChunk, sealChunk } from "./chunk.ts";
import { chunksOf } from "./chunker.ts";
import { type Frame, framesOf, sendFrame, sendJson } from "./frames.ts";
import { CHUNK_BYTES } from "./limits.ts";
import type { ObjectId } from "./record.ts";
import { ShardBuffers } from "./shard-buffers.ts";

const random = new SeededRandom(7);

test("a stream is cut anew at each chunk's length, wherever its pieces end", async () => {
    const content = random.bytes(3 * CHUNK_BYTES + 17);
    const cuts = [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES + 5, 3 * CHUNK_BYTES + 5, content.length];
    async function* pieces() {
        for (const [index, cut] of cuts.entries()) yield content.subarray(cuts[index - 1] ?? 0, cut);
    }
    const chunks: Buffer[] = [];
    for await (const chunk of chunksOf(pieces())) chunks.push(Buffer.from(chunk));
    expect(chunks.map(({ length }) => length)).toEqual([CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES, 17]);
    expect(Buffer.concat(chunks).equals(content)).toBe(true);
});

test("a chunk is compressed when that saves something, whatever a few pieces of it say", () => {
    const owner: ChunkOwner = { object: "00".repeat(16) as ObjectId, generation: 1, dataKey: random.bytes(32) };
    const noise = random.bytes(CHUNK_BYTES);
    const text = Buffer.alloc(CHUNK_BYTES, "the same line again and again\n");
    const half = Buffer.concat([noise.subarray(0, CHUNK_BYTES / 2), text.subarray(CHUNK_BYTES / 2)]);
    const words = Buffer.from(noise.toString("base64").slice(0, CHUNK_BYTES));
    const expected = [
        [noise, CODEC_PLAIN],
        [noise.subarray(0, 5000), CODEC_PLAIN],
        [text, CODEC_ZSTD],
        [half, CODEC_ZSTD],
        [words, CODEC_ZSTD],
    ] as const;
    for (const [plain, codec] of expected) {
        const sealed = sealChunk(owner, 0, plain, true);
        expect(sealed.codec).toBe(codec);
        expect(openChunk(owner, 0, sealed.codec, plain.length, sealed.bytes)?.equals(plain)).toBe(true);
    }
    expect(sealChunk(owner, 0, text, false).codec).toBe(CODEC_PLAIN);
});

test("a buffer of a shard is used again once it was given back, and never by two", () => {
    const buffers = new ShardBuffers(1000);
    const first = buffers.take(1000);
    const second = buffers.take(10);
    expect(second.buffer).not.toBe(first.buffer);
    expect([second.length, buffers.take(0).length, buffers.take(5000).length]).toEqual([10, 0, 5000]);
    buffers.give([second, buffers.take(0), buffers.take(5000)]);
    const third = buffers.take(600);
    expect([third.length, third.buffer]).toEqual([600, second.buffer]);
    expect(buffers.take(1).buffer).not.toBe(third.buffer);
});

test("frames come as they were sent, content in pieces of any size, and an end within one is none", async () => {
    const path = join(temporaryDirectory(), "frames.sock");
    const content = random.bytes(700_000);
    const arrived = new Promise<Socket>((resolve) => createServer(resolve).listen(path).unref());
    const sender = dial(path);
    const receiver = await arrived;
    const sent = (async () => {
        await sendJson(sender, { op: "put", name: "n".repeat(300_000) });
        for (let at = 0; at < content.length; at += 260_000) await sendFrame(sender, "D", content.subarray(at, at + 260_000));
        await sendFrame(sender, "D");
        await sendFrame(sender, "E");
        await sendJson(sender, "last");
        // A head that promises more than comes.
        sender.end(Buffer.from([9, 0, 0, 0, "D".charCodeAt(0), 1]));
    })();
    const whole: (Frame | string)[] = [];
    const parts: Buffer[] = [];
    const read = async () => {
        for await (const frame of framesOf(receiver)) {
            if (frame.kind === "D") parts.push(Buffer.from(frame.bytes));
            else whole.push(`${frame.kind} ${frame.bytes.length}`);
        }
    };
    await expect(read()).rejects.toThrow("in the middle of a frame");
    await sent;
    expect(whole).toEqual(["J 300022", "E 0", "J 6"]);
    expect(Buffer.concat(parts).equals(Buffer.concat([content, Buffer.from([1])]))).toBe(true);
});
