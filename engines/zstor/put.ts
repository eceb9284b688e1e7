import { type ChunkOwner, type SealedChunk, sealChunk } from "./chunk.ts";
import { chunksOf } from "./chunker.ts";
import { wrapKey } from "./data-key.ts";
import { type Engine, extentOf, generationKey, letGoOf, nameStripes, storeStripe } from "./engine.ts";
import { reached } from "./failpoint.ts";
import { DRAFT_STRIPES, STRIPES_IN_FLIGHT } from "./limits.ts";
import { StoreError } from "./object-api.ts";
import type { Packer } from "./packer.ts";
import type { MetadataRecord, ObjectId, PutRecord } from "./record.ts";
import { NONCE_BYTES } from "./sealing.ts";
import { type Stages, stagesIn } from "./stages.ts";
import { StripeBuilder } from "./stripe-builder.ts";

const DATA_KEY_BYTES = 32;

/** Makes the next generation of an object; gives its record when it is true. */
export async function putObject(
    engine: Engine,
    packer: Packer,
    name: string,
    content: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
): Promise<PutRecord> {
    await engine.journal.certain();
    const draft = begin(engine, name);
    const stages = stagesIn(engine.stageFigures, "put");
    const key = generationKey(draft.owner.object, draft.owner.generation);
    engine.drafts.set(key, draft.owner.generation);
    try {
        const pieces = sealedPieces(draft.owner, content, engine.config.settings.compression, stages);
        const first = await pieces.next();
        const second = first.done ? first : await pieces.next();
        throwIfCut(signal);
        if (!first.done && !second.done) return await stream(engine, draft, again([first.value, second.value], pieces), stages, signal);
        const put = recordOf(engine, draft, first.done ? 0 : first.value.plainBytes);
        if (first.done) await stages.wait("journal", 0, () => engine.journal.commit([put], draft.session));
        else await packer.add(first.value.chunk, put, draft.session);
        return put;
    } finally {
        engine.drafts.delete(key);
    }
}

interface Piece {
    readonly chunk: SealedChunk;
    readonly plainBytes: number;
}

async function* sealedPieces(
    owner: ChunkOwner,
    content: AsyncIterable<Uint8Array>,
    compression: boolean,
    stages: Stages,
): AsyncGenerator<Piece, undefined> {
    let index = 0;
    for await (const plain of chunksOf(content))
        yield { chunk: sealChunk(owner, index++, plain, compression, stages), plainBytes: plain.length };
    return undefined;
}

interface Draft {
    readonly name: string;
    readonly owner: ChunkOwner;
    readonly session: number;
}

function begin(engine: Engine, name: string): Draft {
    const object = engine.keys.objectId(name);
    return {
        name,
        owner: { object, generation: nextGeneration(engine, object), dataKey: engine.surroundings.random(DATA_KEY_BYTES) },
        session: engine.journal.session,
    };
}

/** Above all that are there or on their way; who takes one says so in `drafts` until it is there, when it is certain what is. */
export function nextGeneration(engine: Engine, object: ObjectId): number {
    let last = engine.view.lastGeneration(object);
    for (const [key, generation] of engine.drafts) if (key.startsWith(object)) last = Math.max(last, generation);
    return last + 1;
}

function recordOf(engine: Engine, { name, owner }: Draft, sizeBytes: number): PutRecord {
    const { object, generation, dataKey } = owner;
    const { wrapping } = engine.config;
    const wrappedKey = wrapKey(engine.keys, wrapping, object, generation, dataKey, engine.surroundings.random(NONCE_BYTES));
    return { type: "put", object, generation, name, sizeBytes, createdMs: engine.surroundings.clock.nowMs(), wrapping, wrappedKey };
}

/** Stripe by stripe, several on their way; their records are committed as drafts in between, the last ones with the object itself. */
async function stream(
    engine: Engine,
    draft: Draft,
    pieces: AsyncIterable<Piece>,
    stages: Stages,
    signal: AbortSignal | undefined,
): Promise<PutRecord> {
    const { owner, session } = draft;
    const builder = new StripeBuilder(engine.config.settings.dataShards, engine.buffers);
    const underWay = new Set<Promise<void>>();
    let records: MetadataRecord[] = [];
    let stripes = 0;
    let failure: unknown;
    let count = 0;
    let sizeBytes = 0;

    const flush = async () => {
        const firstChunk = count - builder.count;
        const built = builder.build();
        await stages.wait("wait", 0, async () => {
            while (underWay.size >= STRIPES_IN_FLIGHT) await Promise.race(underWay);
            await engine.stripeSlots.take();
        });
        const work = storeStripe(engine, session, built, stages)
            .then(({ written, records: made }) => {
                records.push(...made, extentOf(owner.object, owner.generation, firstChunk, written.id, built.places));
                stripes++;
            })
            .catch((error: unknown) => {
                failure ??= error;
            })
            .finally(() => {
                engine.stripeSlots.give();
                underWay.delete(work);
            });
        underWay.add(work);
        if (stripes < DRAFT_STRIPES) return;
        const ready = records;
        records = [];
        stripes = 0;
        await nameStripes(engine, ready, session, stages);
        reached("put: drafts named");
    };
    try {
        for await (const { chunk, plainBytes } of pieces) {
            throwIfCut(signal);
            if (failure) throw failure;
            if (!builder.add(chunk)) {
                await flush();
                builder.add(chunk);
            }
            count++;
            sizeBytes += plainBytes;
        }
        await flush();
        await Promise.all(underWay);
        if (failure) throw failure;
        throwIfCut(signal);
        reached("put: stored, not named");
        const put = recordOf(engine, draft, sizeBytes);
        await nameStripes(engine, [...records, put], session, stages);
        reached("put: named, not acknowledged");
        return put;
    } finally {
        // Nothing of this put goes on behind its end.
        await Promise.all(underWay);
        letGoOf(engine, records);
    }
}

async function* again(first: readonly Piece[], rest: AsyncGenerator<Piece>): AsyncGenerator<Piece> {
    yield* first;
    yield* rest;
}

function throwIfCut(signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw new StoreError("stopped", "the put was cut before its end, nothing of it is there");
}
