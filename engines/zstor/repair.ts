import { BackendError } from "./backend.ts";
import { type Engine, policyOf } from "./engine.ts";
import { stripeOf } from "./get.ts";
import { StoreError } from "./object-api.ts";
import { place, shardsLeft } from "./placement.ts";
import { EMPTY, type LayoutRecord, MISSING, type StripeId } from "./record.ts";
import { readShards } from "./stripe-reader.ts";

/** Why shards with that place have to be put elsewhere; undefined when they are well where they are. */
export function faultOfPlace(engine: Engine, backend: number, deadAfterMs: number): string | undefined {
    if (backend === EMPTY) return undefined;
    if (backend === MISSING) return "was never stored";
    const member = engine.pool.member(backend);
    if (member === undefined) return "its backend is not configured any more";
    if (member.config.state === "draining") return "its backend is drained";
    const { downSinceMs } = member;
    if (downSinceMs !== undefined && engine.surroundings.clock.nowMs() - downSinceMs >= deadAfterMs) return "its backend is dead";
    return undefined;
}

/** Layouts with shards that have to be put elsewhere, the most urgent first: those that can lose the fewest more. */
export function deficientLayouts(engine: Engine, deadAfterMs: number): LayoutRecord[] {
    const urgency = (layout: LayoutRecord) =>
        layout.backends.filter((backend) => faultOfPlace(engine, backend, deadAfterMs) === undefined).length - layout.dataShards;
    return [...engine.view.allLayouts()]
        .filter((layout) => layout.backends.some((backend) => faultOfPlace(engine, backend, deadAfterMs) !== undefined))
        .sort((a, b) => urgency(a) - urgency(b));
}

/**
 * Gives every shard of a stripe a place again, as far as there are places; by the K and M of the stripe itself, whatever the
 * settings are today. Answers how many were written. What is on the old places is left to the sweep, but for drained ones.
 */
export async function repairStripe(engine: Engine, id: StripeId, deadAfterMs: number): Promise<number> {
    const session = engine.journal.session;
    const { record, layout } = stripeOf(engine, id);
    const bad = engine.badShards.get(id) ?? new Set<number>();
    const moving = layout.backends.flatMap((backend, index) => (faultOfPlace(engine, backend, deadAfterMs) === undefined ? [] : [index]));
    const rewriting = [...bad].filter((index) => !moving.includes(index));
    const wanted = [...moving, ...rewriting];
    if (wanted.length === 0) return 0;

    const implicit = new Set(layout.backends.flatMap((backend, index) => (backend === EMPTY ? [index] : [])));
    const present = layout.backends.map((backend, index) => (moving.includes(index) ? undefined : engine.pool.candidate(backend)));
    const shardBytes = record.lengths.reduce((most, length) => Math.max(most, length), 0);
    const policy = { ...policyOf(engine.config), dataShards: layout.dataShards, parityShards: layout.parityShards };
    const placement = place({ policy, present, implicit, candidates: engine.pool.candidates(), shardBytes });
    const placed = wanted.filter((index) => placement.backends[index] !== undefined);
    if (placed.length === 0) throw new StoreError("no-room", placement.why ?? "no backend can take the shards");

    const shards = await readShards(engine, record, layout, placed);
    const backends = [...layout.backends];
    let written = 0;
    for (const index of placed) {
        const target = placement.backends[index];
        const shard = shards.get(index);
        if (target === undefined || shard === undefined) continue;
        try {
            await engine.pool.member(target.id)?.backend.set(engine.keys.shardKey(id, index), shard);
        } catch (error) {
            if (!(error instanceof BackendError)) throw error;
            continue;
        }
        backends[index] = target.id;
        bad.delete(index);
        written++;
    }
    if (bad.size === 0) engine.badShards.delete(id);
    if (backends.some((backend, index) => backend !== layout.backends[index])) {
        const next = engine.layouts.of(session, layout.dataShards, backends);
        await engine.journal.commit([...next.records, { type: "relayout", stripe: id, layout: next.id }], session);
        await dropMoved(engine, id, layout.backends, backends);
    }
    return written;
}

/** The old copies, where the backend still answers; best effort, the sweep finds the rest. */
async function dropMoved(engine: Engine, id: StripeId, before: readonly number[], after: readonly number[]): Promise<void> {
    for (const [index, backend] of before.entries()) {
        if (backend === after[index] || !engine.pool.isUp(backend)) continue;
        await engine.pool
            .member(backend)
            ?.backend.delete(engine.keys.shardKey(id, index))
            .catch(() => undefined);
    }
}

/** How many more losses of the policy's kind a layout can take: shards left at the worst beyond K. */
export function margin(engine: Engine, layout: LayoutRecord): number {
    const implicit = new Set(layout.backends.flatMap((backend, index) => (backend === EMPTY ? [index] : [])));
    const places = layout.backends.map((backend) => (engine.pool.isUp(backend) ? engine.pool.candidate(backend) : undefined));
    return shardsLeft({ ...policyOf(engine.config), dataShards: layout.dataShards }, places, implicit) - layout.dataShards;
}
