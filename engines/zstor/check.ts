import { BackendError } from "./backend.ts";
import type { Engine } from "./engine.ts";
import { StoreError } from "./object-api.ts";
import { EMPTY, type LayoutRecord, MISSING, type StripeId } from "./record.ts";
import { stripeOf } from "./sealed-chunks.ts";
import { faultOf } from "./stripe-reader.ts";

export interface StripeCheck {
    /** Shards that are there, byte for byte; empty ones count. */
    readonly sound: number;
    readonly shards: number;
    readonly dataShards: number;
    /** In words, by shard. */
    readonly faults: readonly string[];
}

/** Reads every shard of a stripe and compares it with what was written. Bad ones are remembered for repair. */
export async function checkStripe(engine: Engine, id: StripeId): Promise<StripeCheck> {
    const { record, layout } = stripeOf(engine, id);
    const faults: string[] = [];
    for (const [index, backend] of layout.backends.entries()) {
        if (backend === EMPTY) continue;
        const fault = await shardFault(engine, record.id, index, layout, (value) => faultOf(engine.keys, record, index, value));
        if (fault !== undefined) faults.push(`shard ${index} on backend ${backend}: ${fault}`);
    }
    return { sound: layout.backends.length - faults.length, shards: layout.backends.length, dataShards: layout.dataShards, faults };
}

async function shardFault(
    engine: Engine,
    id: StripeId,
    index: number,
    { backends, moves }: LayoutRecord,
    judge: (value: Buffer | undefined) => string | undefined,
): Promise<string | undefined> {
    const backend = backends[index] ?? MISSING;
    if (backend === MISSING) return "was never stored";
    const member = engine.pool.member(backend);
    if (member === undefined) return "is not configured any more";
    try {
        const fault = judge(await member.backend.get(engine.keys.shardKey(id, index, moves[index] ?? 0)));
        if (fault !== undefined) engine.onBadShard(id, index);
        return fault;
    } catch (error) {
        if (!(error instanceof BackendError)) throw error;
        if (error.failure === "damaged") engine.onBadShard(id, index);
        return error.message;
    }
}

export interface ObjectCheck {
    readonly name: string;
    readonly generation: number;
    readonly stripes: number;
    /** How many shards more than K the worst stripe has. */
    readonly spare: number;
    /** The first ones. */
    readonly faults: readonly string[];
    /** How many more there are. */
    readonly moreFaults?: number;
}

/** What is said of one object: more fits no answer, and helps nobody. */
const MOST_FAULTS = 1000;

/** Checks all that the newest generation of an object stands on. */
export async function checkObject(engine: Engine, name: string): Promise<ObjectCheck> {
    const found = engine.view.current(name);
    if (found === undefined || found.removed) throw new StoreError("not-found", `there is no object ${name}`);
    const extents = engine.view.extents(found.object, found.generation, 0, Number.MAX_SAFE_INTEGER);
    const stripes = new Set(extents.map(({ stripe }) => stripe));
    const faults: string[] = [];
    let moreFaults = 0;
    let spare = Number.POSITIVE_INFINITY;
    for (const id of stripes) {
        const check = await unlessMoved(engine, id);
        if (check === undefined) return checkObject(engine, name);
        spare = Math.min(spare, check.sound - check.dataShards);
        for (const fault of check.faults) {
            if (faults.length < MOST_FAULTS) faults.push(`stripe ${id}, ${fault}`);
            else moreFaults++;
        }
    }
    return {
        ...{ name, generation: found.generation, stripes: stripes.size, spare: stripes.size === 0 ? 0 : spare, faults },
        ...(moreFaults === 0 ? {} : { moreFaults }),
    };
}

/** Undefined when the stripe was packed anew meanwhile, so that what was found says nothing. */
async function unlessMoved(engine: Engine, id: StripeId): Promise<StripeCheck | undefined> {
    try {
        const check = await checkStripe(engine, id);
        return (engine.view.stripe(id)?.refs ?? 0) > 0 ? check : undefined;
    } catch (error) {
        if (engine.view.stripe(id) === undefined) return undefined;
        throw error;
    }
}
