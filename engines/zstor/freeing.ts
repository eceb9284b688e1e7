import { BackendError } from "./backend.ts";
import { type Engine, generationKey } from "./engine.ts";
import { reached } from "./failpoint.ts";
import { FORGOTTEN_AT_ONCE, FREE_AT_ONCE } from "./limits.ts";
import type { MetadataRecord, ObjectId, StripeId } from "./record.ts";
import { stripeOf } from "./sealed-chunks.ts";

/** Drops drafts that nobody is putting any more: of puts that failed, and of front ends that are gone. */
export async function forgetDrafts(engine: Engine): Promise<void> {
    const session = engine.journal.session;
    const left = engine.view.drafts().filter(({ object, generation }) => !engine.drafts.has(generationKey(object, generation)));
    if (left.length === 0) return;
    await engine.journal.commit(
        left.map(({ object, generation }) => ({ type: "forget", object, generation })),
        session,
    );
}

/** Drops generations beyond those that are kept, of objects that have some; not the ones that are being read. */
export async function forgetOld(engine: Engine): Promise<void> {
    const session = engine.journal.session;
    const { crowded } = engine.view;
    const keep = engine.config.settings.keepGenerations;
    const objects = crowded.next(keep, (after, limit) => engine.view.crowdedAfter(after, keep, limit));
    let records: MetadataRecord[] = [];
    const say = async () => {
        if (records.length === 0) return;
        await engine.journal.commit(records, session);
        reached("forget: said");
        records = [];
    };
    for (const object of objects) {
        records.push(...surplus(engine, object, keep));
        if (records.length >= FORGOTTEN_AT_ONCE) await say();
    }
    await say();
}

/** What of an object is to be forgotten now. It is looked at again until nothing is. */
function surplus(engine: Engine, object: ObjectId, keep: number): MetadataRecord[] {
    const generations = engine.view.generations(object);
    const kept = generations.slice(0, keep);
    // Removals with nothing behind them say nothing.
    const dropped = kept.every(({ removed }) => removed) ? generations : generations.slice(keep);
    // From the oldest on, and not past one that is read: what the name means never goes back to an older one.
    const records: MetadataRecord[] = [];
    for (const { generation } of dropped.reverse()) {
        if (engine.readers.has(generationKey(object, generation))) break;
        records.push({ type: "forget", object, generation });
    }
    if (dropped.length === 0) engine.view.crowded.done(object);
    return records;
}

/** Deletes the shards of stripes that no extent names, then their records. Answers how many are gone. */
export async function freeGarbage(engine: Engine): Promise<number> {
    let freed = 0;
    for (;;) {
        const session = engine.journal.session;
        const stripes = engine.view.garbage(FREE_AT_ONCE);
        const gone: StripeId[] = [];
        await Promise.all(stripes.map(async (id) => ((await deleteShards(engine, id)) ? gone.push(id) : undefined)));
        if (gone.length === 0) return freed;
        reached("free: deleted, not said");
        await engine.journal.commit(
            gone.sort().map((stripe) => ({ type: "free", stripe })),
            session,
        );
        reached("free: said");
        freed += gone.length;
    }
}

/** False when a backend that may have one does not answer: it is tried again later. */
async function deleteShards(engine: Engine, id: StripeId): Promise<boolean> {
    const { layout } = stripeOf(engine, id);
    const results = await Promise.all(
        layout.backends.map(async (backend, index) => {
            const member = engine.pool.member(backend);
            if (member === undefined) return true;
            try {
                await member.backend.delete(engine.keys.shardKey(id, index, layout.moves[index] ?? 0));
                return true;
            } catch (error) {
                if (!(error instanceof BackendError)) throw error;
                return false;
            }
        }),
    );
    return results.every((isGone) => isGone);
}
