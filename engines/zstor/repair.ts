import { BackendError } from "./backend.ts";
import { type Engine, policyOf } from "./engine.ts";
import { reached } from "./failpoint.ts";
import { StoreError } from "./object-api.ts";
import { type Candidate, type Policy, place, placePromptly, shardsLeft } from "./placement.ts";
import { EMPTY, type LayoutRecord, type MetadataRecord, MISSING, type StripeId } from "./record.ts";
import { stripeOf } from "./sealed-chunks.ts";
import { leaveGarbage } from "./seam-garbage.ts";
import { type Purpose, stagesIn } from "./stages.ts";
import { readShards, shardLength } from "./stripe-reader.ts";

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

/** Indexes of shards that have to be put elsewhere: where they are they are not safe, or the policy does not hold and can be made to hold. */
export function shardsToMove(engine: Engine, layout: LayoutRecord, deadAfterMs: number): number[] {
    const faulty = layout.backends.flatMap((backend, index) => (faultOfPlace(engine, backend, deadAfterMs) === undefined ? [] : [index]));
    return faulty.length > 0 || holdsPolicy(engine, layout) ? faulty : movesToHold(engine, layout);
}

/** Whether losing what the policy says leaves K shards, wherever backends answer now. */
export function holdsPolicy(engine: Engine, layout: LayoutRecord): boolean {
    const places = layout.backends.map((backend) => engine.pool.candidate(backend));
    return shardsLeft(policyFor(engine, layout), places, emptyOnes(layout)) >= layout.dataShards;
}

/** Takes shards out of the fullest groups until what can be placed holds; nothing when that is not to be had. */
function movesToHold(engine: Engine, layout: LayoutRecord): number[] {
    const policy = policyFor(engine, layout);
    const implicit = emptyOnes(layout);
    const present = layout.backends.map((backend) => engine.pool.candidate(backend));
    const candidates = engine.pool.candidates();
    for (let taken = 0; taken < layout.parityShards; taken++) {
        present[inFullestGroup(present)] = undefined;
        const placement = place({ policy, present, implicit, candidates, shardBytes: 0 });
        if (!placement.holds || placement.missing.length > 0) continue;
        return layout.backends.flatMap((backend, index) =>
            implicit.has(index) || placement.backends[index]?.id === backend ? [] : [index],
        );
    }
    return [];
}

function inFullestGroup(present: readonly (Candidate | undefined)[]): number {
    const sizeOf = (candidate: Candidate | undefined) =>
        candidate === undefined ? 0 : present.filter((other) => other?.group === candidate.group).length;
    return present.reduce((fullest, candidate, index) => (sizeOf(candidate) > sizeOf(present[fullest]) ? index : fullest), 0);
}

export function policyFor(engine: Engine, { dataShards, parityShards }: LayoutRecord): Policy {
    return { ...policyOf(engine.config), dataShards, parityShards };
}

export function emptyOnes(layout: LayoutRecord): Set<number> {
    return new Set(layout.backends.flatMap((backend, index) => (backend === EMPTY ? [index] : [])));
}

/** Layouts that were found to owe nothing, as long as all that this depends on stays as it is: there may be thousands, and a round looks at each. */
export class WellStanding {
    private basis = "";
    private layouts = new WeakSet<LayoutRecord>();

    owes(engine: Engine, layout: LayoutRecord, deadAfterMs: number): boolean {
        if (this.layouts.has(layout)) return false;
        if (shardsToMove(engine, layout, deadAfterMs).length > 0) return true;
        // What does not hold and cannot be made to hold now may be made to when there is more room.
        if (holdsPolicy(engine, layout)) this.layouts.add(layout);
        return false;
    }

    /** Forgets them when backends or policy are other ones than before. */
    begin(engine: Engine, deadAfterMs: number): void {
        const places = engine.pool.all().map(({ config }) => [config, faultOfPlace(engine, config.id, deadAfterMs)]);
        const basis = JSON.stringify([policyOf(engine.config), places]);
        if (basis !== this.basis) this.layouts = new WeakSet();
        this.basis = basis;
    }
}

/** Layouts with shards that have to be put elsewhere, the most urgent first: those that can lose the fewest more. */
export function deficientLayouts(engine: Engine, deadAfterMs: number, known: WellStanding): LayoutRecord[] {
    known.begin(engine, deadAfterMs);
    const urgency = (layout: LayoutRecord) =>
        layout.backends.filter((backend) => faultOfPlace(engine, backend, deadAfterMs) === undefined).length - layout.dataShards;
    return [...engine.view.stripeCounts().keys()]
        .flatMap((id) => engine.view.layout(id) ?? [])
        .filter((layout) => known.owes(engine, layout, deadAfterMs))
        .sort((a, b) => urgency(a) - urgency(b));
}

/**
 * Gives every shard of a stripe a place again, as far as there are places; by the K and M of the stripe itself, whatever the
 * settings are today. Answers how many were written. What is on the old places is left to the sweep, but for drained ones.
 */
export async function repairStripe(engine: Engine, id: StripeId, deadAfterMs: number): Promise<number> {
    const session = engine.journal.session;
    const { record, layout } = stripeOf(engine, id);
    const bad = [...(engine.badShards.get(id) ?? [])];
    const owed = shardsToMove(engine, layout, deadAfterMs);
    // What is bad is written again where it is, unless nothing can be written there.
    const open = new Set(engine.pool.candidates().map((candidate) => candidate.id));
    const rewriting = bad.filter((index) => !owed.includes(index) && open.has(layout.backends[index] ?? MISSING));
    const moving = [...new Set([...owed, ...bad.filter((index) => !rewriting.includes(index))])];
    const wanted = [...moving, ...rewriting];
    if (wanted.length === 0) return 0;

    const implicit = emptyOnes(layout);
    const present = layout.backends.map((backend, index) => (moving.includes(index) ? undefined : engine.pool.candidate(backend)));
    const shardBytes = record.lengths.reduce((most, length) => Math.max(most, length), 0);
    const wish = { policy: policyFor(engine, layout), present, implicit, candidates: engine.pool.candidates(), shardBytes };
    const placement = placePromptly(wish, (backend) => engine.pool.isTardy(backend));
    const placed = wanted.filter((index) => placement.backends[index] !== undefined);
    if (placed.length === 0) throw new StoreError("no-room", placement.why ?? "no backend can take the shards");

    const targets = new Map(placed.flatMap((index) => targetOf(placement.backends[index], index)));
    return putShards(engine, session, id, targets, "repair", new Set(rewriting));
}

function targetOf(target: Candidate | undefined, index: number): [number, number][] {
    return target === undefined ? [] : [[index, target.id]];
}

/**
 * Writes shards of a stripe to the backends that are given for their indexes and makes that true; those of `inPlace` are where they belong
 * and only lack the right bytes. Answers how many were written.
 */
export async function putShards(
    engine: Engine,
    session: number,
    id: StripeId,
    targets: ReadonlyMap<number, number>,
    purpose: Purpose,
    inPlace: ReadonlySet<number> = new Set(),
): Promise<number> {
    const { record, layout } = stripeOf(engine, id);
    const bad = engine.badShards.get(id);
    const stages = stagesIn(engine.stageFigures, purpose);
    const shards = await readShards(engine, record, layout, [...targets.keys()], stages);
    // K were fetched for those that were made.
    leaveGarbage((layout.dataShards + targets.size) * shardLength(record, layout.dataShards));
    const backends = [...layout.backends];
    const moves = [...layout.moves];
    let written = 0;
    for (const [index, target] of targets) {
        const shard = shards.get(index);
        const member = engine.pool.member(target);
        if (shard === undefined || member === undefined) continue;
        const own = layout.moves[index] ?? 0;
        const move = inPlace.has(index) ? own : engine.moveNumbers.after(own);
        try {
            await stages.wait("write", shard.length, () => member.backend.set(engine.keys.shardKey(id, index, move), shard));
        } catch (error) {
            if (!(error instanceof BackendError)) throw error;
            continue;
        }
        backends[index] = target;
        moves[index] = move;
        bad?.delete(index);
        written++;
        reached("repair: written, not named");
    }
    if (bad?.size === 0) engine.badShards.delete(id);
    if (moves.some((move, index) => move !== layout.moves[index])) {
        const next = engine.layouts.of(session, layout.dataShards, backends, moves);
        const records: MetadataRecord[] = [next, { type: "relayout", stripe: id, layout: next.id }];
        await stages.wait("journal", 0, () => engine.journal.commit(records, session));
        reached("repair: named, old ones not deleted");
        await dropMoved(engine, id, layout, moves);
    }
    return written;
}

/** The old copies, where the backend still answers; best effort, the sweep finds the rest. */
async function dropMoved(engine: Engine, id: StripeId, before: LayoutRecord, movesNow: readonly number[]): Promise<void> {
    for (const [index, backend] of before.backends.entries()) {
        if (before.moves[index] === movesNow[index] || !engine.pool.isUp(backend)) continue;
        await engine.pool
            .member(backend)
            ?.backend.delete(engine.keys.shardKey(id, index, before.moves[index] ?? 0))
            .catch(() => undefined);
        reached("repair: an old one deleted");
    }
}
