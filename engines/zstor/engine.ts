import type { ErasureCodec } from "./erasure.ts";
import { reached } from "./failpoint.ts";
import type { Figures } from "./figures.ts";
import type { Journal } from "./journal.ts";
import type { StoreKeys } from "./keys.ts";
import type { Layouts } from "./layouts.ts";
import type { MoveNumbers } from "./move-numbers.ts";
import type { Policy } from "./placement.ts";
import type { Pool } from "./pool.ts";
import type { ReadCache } from "./read-cache.ts";
import type { ExtentRecord, MetadataRecord, ObjectId, StripeId } from "./record.ts";
import { leaveGarbage } from "./seam-garbage.ts";
import type { ShardBuffers } from "./shard-buffers.ts";
import type { Slots } from "./slots.ts";
import type { Stages } from "./stages.ts";
import type { StoreConfig } from "./store-record.ts";
import type { BuiltStripe } from "./stripe-builder.ts";
import { type WrittenStripe, writeStripe } from "./stripe-writer.ts";
import type { Surroundings } from "./surroundings.ts";
import type { View } from "./view.ts";

/** The parts of an open store, as put, get and repair share them. */
export interface Engine {
    readonly surroundings: Surroundings;
    readonly keys: StoreKeys;
    readonly codec: ErasureCodec;
    readonly buffers: ShardBuffers;
    readonly pool: Pool;
    readonly view: View;
    readonly journal: Journal;
    readonly layouts: Layouts;
    readonly moveNumbers: MoveNumbers;
    readonly config: StoreConfig;
    /** Of the stages of all its work. */
    readonly stageFigures: Figures;
    /** Bounds the stripes of all puts that are on their way. */
    readonly stripeSlots: Slots;
    /** Of sealed chunks, on this front end's disk. */
    readonly cache: ReadCache | undefined;
    /** Object generations that are being put: their drafts are not left-overs. */
    readonly drafts: Map<string, number>;
    /** Object generations that are being read: they are not forgotten meanwhile. */
    readonly readers: Map<string, number>;
    /** Shards that a backend has lost or changed, to be written again; by stripe, their indexes. */
    readonly badShards: Map<StripeId, Set<number>>;
    /** Stripes that are stored and not named yet: no orphans, however long whoever puts them takes. */
    readonly unnamed: Set<StripeId>;
    /** An id that no stripe ever had. */
    nextStripeId(): StripeId;
    onBadShard(stripe: StripeId, index: number): void;
}

export function generationKey(object: ObjectId, generation: number): string {
    return `${object} ${generation}`;
}

export function policyOf({ settings }: StoreConfig): Policy {
    const { dataShards, parityShards, redundantGroups, redundantNodes } = settings;
    return { dataShards, parityShards, redundantGroups, redundantNodes };
}

/** Below so many shards nothing is acknowledged. */
export function leastShards({ settings }: StoreConfig): number {
    return settings.dataShards + Math.max(1, settings.minParity);
}

/** A byte that is stored has been in so many buffers that are not used again: as it came, compressed, enciphered and with its tag. */
const STAGES = 4;

/** Stores a stripe; gives the records that make it true, for whoever names them in that session, or lets go of them. */
export async function storeStripe(
    engine: Engine,
    session: number,
    { data }: BuiltStripe,
    stages: Stages,
): Promise<{ written: WrittenStripe; records: MetadataRecord[] }> {
    const id = engine.nextStripeId();
    engine.unnamed.add(id);
    try {
        const written = await writeStripe(engine, policyOf(engine.config), leastShards(engine.config), id, data, stages);
        reached("stripe: stored, not named");
        leaveGarbage(STAGES * data.reduce((sum, shard) => sum + shard.length, 0));
        const layout = engine.layouts.of(session, data.length, written.backends);
        const { lengths, macs } = written;
        const createdMs = engine.surroundings.clock.nowMs();
        return { written, records: [layout, { type: "stripe", id, layout: layout.id, createdMs, lengths, macs }] };
    } catch (error) {
        engine.unnamed.delete(id);
        throw error;
    }
}

/** Commits records of stripes that were stored, and of what names them. */
export async function nameStripes(engine: Engine, records: readonly MetadataRecord[], session: number, stages: Stages): Promise<void> {
    try {
        await stages.wait("journal", 0, () => engine.journal.commit(records, session));
    } finally {
        letGoOf(engine, records);
    }
}

/** What nothing names of these stripes is an orphan from now on. */
export function letGoOf({ unnamed }: Engine, records: readonly MetadataRecord[]): void {
    for (const record of records) if (record.type === "stripe") unnamed.delete(record.id);
}

export function extentOf(
    object: ObjectId,
    generation: number,
    firstChunk: number,
    stripe: StripeId,
    chunks: ExtentRecord["chunks"],
): ExtentRecord {
    return { type: "extent", object, generation, firstChunk, stripe, chunks };
}
