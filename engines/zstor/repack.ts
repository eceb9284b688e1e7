import { type Engine, extentOf, generationKey, letGoOf, nameStripes, policyOf, storeStripe } from "./engine.ts";
import { reached } from "./failpoint.ts";
import { grownBy } from "./grown.ts";
import { REPACK_LONGEST_PAUSE_MS, REPACK_LOOKS, REPACK_PAUSE_MS, REPACK_READS, REPACK_ROUND_BYTES } from "./limits.ts";
import { StoreError } from "./object-api.ts";
import type { InTurn } from "./passes.ts";
import { place } from "./placement.ts";
import { type ChunkPlace, type ExtentRecord, type MetadataRecord, MISSING, type StripeId } from "./record.ts";
import { planRepack } from "./repack-plan.ts";
import { stripeOf } from "./sealed-chunks.ts";
import { type Stages, stagesIn } from "./stages.ts";
import { StripeBuilder, shardRoom } from "./stripe-builder.ts";
import { readShards } from "./stripe-reader.ts";
import { jittered } from "./surroundings.ts";

export interface RepackResult {
    /** Stripes that were given up for others. */
    readonly stripes: number;
    readonly movedBytes: number;
}

/** A chunk as it lies in a stripe that is to go. Sealed chunks are bound to their object and not to their place, so they move as they are. */
interface Moving {
    readonly of: ExtentRecord;
    readonly at: number;
    readonly codec: number;
    readonly bytes: Buffer;
}

/**
 * Packs chunks of partial and mostly deleted stripes into fewer ones. The new stripe is stored first, then one batch of the journal lets the extents name it, then what
 * nothing names any more is freed as all garbage is: an end at any point leaves either orphans for the sweep or garbage for the next round.
 */
export class Repacker {
    private readonly engine: Engine;
    private readonly afterMs: number;
    repackedStripes = 0;
    movedBytes = 0;
    private pauseMs = 0;
    private pausedUntilMs = 0;

    constructor(engine: Engine, afterMs: number) {
        this.engine = engine;
        this.afterMs = afterMs;
    }

    /** A round's share, and only what nobody waits for. One that fails makes the next ones wait, longer each time. */
    async round(): Promise<void> {
        const { surroundings } = this.engine;
        if (surroundings.clock.nowMs() < this.pausedUntilMs) return;
        try {
            await this.share();
            this.pauseMs = 0;
        } catch (error) {
            this.pauseMs = Math.min(REPACK_LONGEST_PAUSE_MS, Math.max(REPACK_PAUSE_MS, this.pauseMs * 2));
            this.pausedUntilMs = surroundings.clock.nowMs() + jittered(surroundings, this.pauseMs);
            throw error;
        }
    }

    private async share(): Promise<void> {
        let bytes = 0;
        if (this.obstacle() !== undefined) return;
        while (bytes < REPACK_ROUND_BYTES && this.engine.stripeSlots.load === 0) {
            const moved = await this.next(this.engine.surroundings.clock.nowMs() - this.afterMs);
            if (moved === 0) return;
            bytes += moved;
        }
    }

    /** All that is worth it now, however young. */
    async pass(inTurn: InTurn): Promise<RepackResult> {
        const obstacle = this.obstacle();
        if (obstacle !== undefined) throw new StoreError("no-room", `what is stored now would be less safe than it was: ${obstacle}`);
        const counters = (): RepackResult => ({ stripes: this.repackedStripes, movedBytes: this.movedBytes });
        return grownBy(counters, async () => {
            while ((await inTurn(() => this.next(Number.POSITIVE_INFINITY))) > 0);
        });
    }

    /** Why a stripe could not be placed as the policy wants it; undefined when it could. */
    private obstacle(): string | undefined {
        const { config, pool } = this.engine;
        const policy = policyOf(config);
        const present = new Array(policy.dataShards + policy.parityShards).fill(undefined);
        const shardBytes = shardRoom(policy.dataShards);
        return place({ policy, present, implicit: new Set(), candidates: pool.candidates(), shardBytes }).why;
    }

    /** One group of stripes; answers how many bytes were moved, 0 when nothing was to be done. */
    private async next(settledMs: number): Promise<number> {
        const { engine } = this;
        const { dataShards, parityShards } = engine.config.settings;
        const sizesOf = (id: StripeId) => this.sizesOf(id);
        const plan = planRepack(engine.view.leastLive(REPACK_LOOKS), { dataShards, parityShards, settledMs, sizesOf });
        if (plan === undefined) return 0;
        await engine.stripeSlots.take();
        try {
            const bytes = await this.repack(plan);
            this.repackedStripes += plan.length;
            this.movedBytes += bytes;
            return bytes;
        } finally {
            engine.stripeSlots.give();
        }
    }

    /** Of the chunks of a stripe; undefined while a shard of it is bad or a put still makes extents that name it. */
    private sizesOf(id: StripeId): number[] | undefined {
        const { view, drafts, badShards } = this.engine;
        if (badShards.has(id)) return undefined;
        const extents = view.extentsOf(id);
        const isMoving = extents.some(
            ({ object, generation }) => drafts.has(generationKey(object, generation)) || view.generation(object, generation) === undefined,
        );
        return isMoving ? undefined : extents.flatMap(({ chunks }) => chunks.map(({ storedBytes }) => storedBytes));
    }

    private async repack(stripes: readonly StripeId[]): Promise<number> {
        const { engine } = this;
        const session = engine.journal.session;
        const stages = stagesIn(engine.stageFigures, "repack");
        const chunks = await this.read(stripes, stages);
        const builder = new StripeBuilder(engine.config.settings.dataShards, engine.buffers);
        for (const chunk of chunks) if (!builder.add(chunk)) throw new RangeError("a plan for a stripe does not fit it");
        const built = builder.build();
        const { written, records } = await storeStripe(engine, session, built, stages);
        // A backend may have fallen meanwhile: then nothing is moved, and what was written is an orphan.
        if (written.backends.includes(MISSING)) {
            letGoOf(engine, records);
            throw new StoreError("no-room", "not all shards of a stripe that was packed anew have a place");
        }
        reached("repack: stored, not named");
        await nameStripes(engine, [...records, ...extentsFor(chunks, built.places, written.id)], session, stages);
        reached("repack: named, old ones not freed");
        return chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);
    }

    private async read(stripes: readonly StripeId[], stages: Stages): Promise<Moving[]> {
        const chunks: Moving[] = [];
        for (let at = 0; at < stripes.length; at += REPACK_READS) {
            const some = await Promise.all(stripes.slice(at, at + REPACK_READS).map((id) => this.chunksOf(id, stages)));
            chunks.push(...some.flat());
        }
        return chunks;
    }

    private async chunksOf(id: StripeId, stages: Stages): Promise<Moving[]> {
        const { engine } = this;
        const { record, layout } = stripeOf(engine, id);
        const extents = engine.view.extentsOf(id);
        const wanted = new Set(extents.flatMap(({ chunks }) => chunks.map(({ shard }) => shard)));
        const shards = await readShards(engine, record, layout, [...wanted], stages);
        return extents.flatMap((of) =>
            of.chunks.map(({ shard, offset, storedBytes, codec }, at) => {
                const found = shards.get(shard)?.subarray(offset, offset + storedBytes);
                if (found?.length !== storedBytes) throw new StoreError("lost", `the metadata name bytes that stripe ${id} does not have`);
                // A copy, so that the rest of the shard need not be held.
                return { of, at, codec, bytes: Buffer.from(found) };
            }),
        );
    }
}

/** Each extent as it was, in its new stripe. */
function extentsFor(chunks: readonly Moving[], places: readonly ChunkPlace[], stripe: StripeId): MetadataRecord[] {
    const moved = new Map<ExtentRecord, ChunkPlace[]>();
    for (const [index, { of }] of chunks.entries()) {
        const place = places[index];
        if (place === undefined) throw new RangeError("a chunk has no place");
        moved.set(of, [...(moved.get(of) ?? []), place]);
    }
    return [...moved].map(([{ object, generation, firstChunk }, parts]) => extentOf(object, generation, firstChunk, stripe, parts));
}
