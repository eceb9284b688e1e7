import { randomBytes } from "node:crypto";
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type ChunkOwner, openChunk, sealChunk } from "../../engines/zstor/chunk.ts";
import { bestCodec } from "../../engines/zstor/codecs.ts";
import { StoreKeys } from "../../engines/zstor/keys.ts";
import { CHUNK_BYTES } from "../../engines/zstor/limits.ts";
import type { ObjectId, StripeId } from "../../engines/zstor/record.ts";
import { leaveGarbage } from "../../engines/zstor/seam-garbage.ts";
import { macOf } from "../../engines/zstor/stripe-writer.ts";
import { SHARD_BYTES } from "./floor.ts";
import { MIB, percentiles, type Row } from "./measure.ts";

const ROUNDS = 1024;

/** Processor time of each stage of the engine alone, in this process: ms for 256 MiB of user data. */
export function* stages(random: Buffer, text: Buffer): Generator<Row> {
    const owner: ChunkOwner = { object: "00".repeat(16) as ObjectId, generation: 1, dataKey: randomBytes(32) };
    const chunkOf = (block: Buffer, index: number) => block.subarray((index * CHUNK_BYTES) % block.length).subarray(0, CHUNK_BYTES);
    for (const [name, block] of [
        ["random", random],
        ["text", text],
    ] as const) {
        yield stage(`compress and seal ${name}`, CHUNK_BYTES, (index) => sealChunk(owner, index, chunkOf(block, index), true).bytes.length);
        const { codec, bytes } = sealChunk(owner, 0, chunkOf(block, 0), true);
        yield stage(`open and decompress ${name}`, CHUNK_BYTES, () => openChunk(owner, 0, codec, CHUNK_BYTES, bytes)?.length ?? 0);
    }
    const shards = Array.from({ length: 4 }, () => randomBytes(SHARD_BYTES));
    const parity = [0, 1].map(() => Buffer.alloc(SHARD_BYTES));
    const codec = bestCodec();
    yield stage(`erasure code (${codec.name})`, 4 * SHARD_BYTES, () => {
        codec.encode(shards, parity);
        return 0;
    });
    const keys = new StoreKeys(randomBytes(32));
    const id = "00".repeat(12) as StripeId;
    yield stage("shard MACs", 4 * SHARD_BYTES, () => {
        for (const [index, shard] of [...shards, ...parity].entries()) macOf(keys, id, index, shard);
        return 0;
    });
}

/** `work` does so many bytes of user data and answers how much it leaves for the collector. */
function stage(what: string, bytes: number, work: (index: number) => number): Row {
    const rounds = Math.ceil((ROUNDS * CHUNK_BYTES) / bytes);
    const before = process.cpuUsage();
    for (let index = 0; index < rounds; index++) leaveGarbage(2 * work(index));
    const { user, system } = process.cpuUsage(before);
    const ms = ((user + system) / 1000) * ((256 * MIB) / (rounds * bytes));
    return { what: `stage: ${what}`, figure: `${ms.toFixed(0)} ms of CPU for 256 MiB` };
}

/** How long the disk takes to make a shard durable. */
export function flushes(directory: string): Row {
    const file = openSync(join(directory, "flushes"), "w");
    const shard = randomBytes(SHARD_BYTES);
    const times: number[] = [];
    for (let round = 0; round < 100; round++) {
        writeSync(file, shard);
        const began = performance.now();
        fdatasyncSync(file);
        times.push(performance.now() - began);
    }
    closeSync(file);
    return { what: "fdatasync of 512 KiB, alone", figure: percentiles(times) };
}
