import type { SealedChunk } from "./chunk.ts";
import { type Engine, extentOf, nameStripes, storeStripe } from "./engine.ts";
import { PACKS_IN_FLIGHT } from "./limits.ts";
import type { MetadataRecord, PutRecord } from "./record.ts";
import { stagesIn } from "./stages.ts";
import { StripeBuilder } from "./stripe-builder.ts";

interface Item {
    readonly chunk: SealedChunk;
    readonly put: PutRecord;
    readonly session: number;
    readonly resolve: () => void;
    readonly reject: (error: Error) => void;
}

/** Puts objects of one chunk into common stripes: what comes while others are written goes together, nobody waits for company. */
export class Packer {
    private readonly engine: Engine;
    private queue: Item[] = [];
    private running = 0;

    constructor(engine: Engine) {
        this.engine = engine;
    }

    /** Objects that wait for a stripe, and stripes that are being stored. */
    get load(): { readonly waiting: number; readonly running: number } {
        return { waiting: this.queue.length, running: this.running };
    }

    /** Settles when the object is there. */
    add(chunk: SealedChunk, put: PutRecord, session: number): Promise<void> {
        return new Promise((resolve, reject) => {
            this.queue.push({ chunk, put, session, resolve, reject });
            if (this.running < PACKS_IN_FLIGHT) void this.run();
        });
    }

    private async run(): Promise<void> {
        this.running++;
        // What else comes in this turn comes along.
        await Promise.resolve();
        while (this.queue.length > 0) {
            const { session } = this.queue[0] ?? { session: 0 };
            const builder = new StripeBuilder(this.engine.config.settings.dataShards, this.engine.buffers);
            const end = this.queue.findIndex((item) => item.session !== session || !builder.add(item.chunk));
            const items = this.queue.splice(0, end < 0 ? this.queue.length : end);
            try {
                await this.store(items, builder, session);
                for (const { resolve } of items) resolve();
            } catch (error) {
                for (const { reject } of items) reject(error as Error);
            }
        }
        this.running--;
    }

    private async store(items: readonly Item[], builder: StripeBuilder, session: number): Promise<void> {
        const stages = stagesIn(this.engine.stageFigures, "put");
        const built = builder.build();
        const { written, records } = await storeStripe(this.engine, session, built, stages);
        const puts = items.flatMap(({ put }, index): MetadataRecord[] => {
            const place = built.places[index];
            if (place === undefined) throw new RangeError("a chunk has no place");
            return [extentOf(put.object, put.generation, 0, written.id, [place]), put];
        });
        await nameStripes(this.engine, [...records, ...puts], session, stages);
    }
}
