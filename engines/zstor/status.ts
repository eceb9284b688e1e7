import { nameOf } from "./backend-url.ts";
import { type Bearing, bearingOf, type Standing } from "./bearing.ts";
import type { BreakerState } from "./breaker.ts";
import { policyOf } from "./engine.ts";
import { type Latency, VALUE_SIZES, type ValueSize } from "./latency.ts";
import type { Member } from "./member.ts";
import { exchangeWarnings, type MetadataStatus, metadataOf } from "./metadata-status.ts";
import { type Placement, place } from "./placement.ts";
import type { ReadCache } from "./read-cache.ts";
import type { RebalanceProgress } from "./rebalance.ts";
import { EMPTY } from "./record.ts";
import { emptyOnes, holdsPolicy, shardsToMove } from "./repair.ts";
import type { Store } from "./store.ts";
import { shardRoom } from "./stripe-builder.ts";
import { stripesByBackend } from "./stripes-by-backend.ts";

export interface StoreStatus {
    readonly objects: number;
    readonly bytes: number;
    readonly stripes: number;
    /** Of all shards. */
    readonly storedBytes: number;
    /** Of the chunks in them that something names: compressed, without parity. */
    readonly liveBytes: number;
    /** Stripes that were packed anew since the front end was started. */
    readonly repackedStripes: number;
    /** Stripes by how many shards more than K are where they should be on backends that answer. Below 0: not readable now. */
    readonly spare: Readonly<Record<string, number>>;
    /** Stripes with shards that have to be put elsewhere. */
    readonly owed: number;
    /** Stripes that the loss which the policy means would make unreadable. */
    readonly outOfPolicy: number;
    /** How many more backends, or groups of them, may be lost, whichever, so that everything can be read; undefined when nothing is stored. */
    readonly bears?: Bearing;
    readonly repairedShards: number;
    /** How far the rebalance is that was asked for last; undefined when none was. */
    readonly rebalance?: RebalanceProgress;
    /** Why this front end writes no more. */
    readonly stopped?: string;
    readonly metadata: MetadataStatus;
    readonly backends: readonly BackendStatus[];
    readonly cache?: CacheStatus;
    /** In words, the worst first; empty when all is well. */
    readonly warnings: readonly string[];
}

export interface CacheStatus {
    readonly sizeBytes: number;
    readonly usedBytes: number;
    /** Chunks that were found there since the front end was started, and that were not. */
    readonly hits: number;
    readonly misses: number;
    /** Its directory is not there, or not to be written to. */
    readonly isLost: boolean;
    /** Why nothing is kept now. */
    readonly trouble?: string;
}

export interface BackendStatus {
    readonly id: number;
    readonly name: string;
    readonly group: string;
    /** `ok`, or why nothing new goes there. */
    readonly state: string;
    /** Taken out of the configuration: what it has is put elsewhere. */
    readonly draining?: true;
    /** That have shards on it. */
    readonly stripes: number;
    readonly downSinceMs?: number;
    /** `open`: left alone until it is probed again; `half-open`: it is being probed. */
    readonly breaker: BreakerState;
    /** Probed again in so many milliseconds, while it is left alone. */
    readonly retryInMs?: number;
    /** Of what was read from it last: the middle, and what 95 of 100 take; undefined when little was. */
    readonly readMs?: { readonly small?: ReadTimes; readonly large?: ReadTimes };
    /** Asked after the others, for reads take much longer than from them. */
    readonly slow?: true;
    /** Given what no other can take, and not waited for: writes take much longer than on others, or did lately. */
    readonly tardy?: true;
    readonly usedBytes?: number;
    readonly durability: string;
}

export interface ReadTimes {
    readonly median: number;
    readonly p95: number;
}

/** How the store is once every backend that was thought to answer has been asked again. */
export async function askedStatusOf(store: Store): Promise<StoreStatus> {
    await store.pool.askAll();
    return statusOf(store);
}

/** How the store is, without asking anybody. */
export function statusOf(store: Store): StoreStatus {
    const { view, pool, journal } = store;
    const spare: Record<string, number> = {};
    let owed = 0;
    let outOfPolicy = 0;
    const standings: Standing[] = [];
    const stripesOn = stripesByBackend(view);
    for (const [id, count] of view.stripeCounts()) {
        const layout = view.layout(id);
        if (layout === undefined) continue;
        const there = layout.backends.filter((backend) => backend === EMPTY || pool.isUp(backend)).length - layout.dataShards;
        spare[there] = (spare[there] ?? 0) + count;
        const places = layout.backends.map((backend) => (pool.isUp(backend) ? pool.candidate(backend) : undefined));
        standings.push({ dataShards: layout.dataShards, places, implicit: emptyOnes(layout) });
        if (shardsToMove(store, layout, store.caretaker.deadAfterMs).length > 0) owed += count;
        if (!holdsPolicy(store, layout)) outOfPolicy += count;
    }
    const backends = pool.all().map((member) => backendStatus(store, member, stripesOn.get(member.config.id) ?? 0));
    const bears = bearingOf(standings);
    const stopped = journal.failure?.message;
    const trouble = journal.trouble?.message;
    const metadata = metadataOf(store);
    const lagging = [...store.caretaker.lagging].map(({ url }) => nameOf(url));
    const warnings = [...warningsOf(spare, owed, outOfPolicy, backends, lagging, stopped, trouble), ...exchangeWarnings(store, metadata)];
    const cache = store.cache && cacheStatus(store.cache);
    if (cache?.trouble !== undefined) warnings.push(`nothing is cached now: ${cache.trouble}`);
    return {
        ...view.totals(),
        ...(bears === undefined ? {} : { bears }),
        spare,
        owed,
        outOfPolicy,
        repairedShards: store.caretaker.repairedShards,
        repackedStripes: store.caretaker.repacker.repackedStripes,
        metadata,
        backends,
        warnings,
        ...(cache === undefined ? {} : { cache }),
        ...(store.caretaker.rebalancer.progress.checkedStripes === 0 ? {} : { rebalance: store.caretaker.rebalancer.progress }),
        ...(stopped === undefined ? {} : { stopped }),
    };
}

function cacheStatus({ sizeBytes, usedBytes, hits, misses, isLost, trouble }: ReadCache): CacheStatus {
    return { sizeBytes, usedBytes, hits, misses, isLost, ...(trouble === undefined ? {} : { trouble }) };
}

function backendStatus({ pool, surroundings }: Store, member: Member, stripes: number): BackendStatus {
    const { config, info, refusal, downSinceMs, breaker, latency } = member;
    const readMs = { ...readTimes(latency, "small"), ...readTimes(latency, "large") };
    const isSlow = VALUE_SIZES.some((size) => pool.rank(config.id, size).class === "slow");
    return {
        id: config.id,
        name: nameOf(config.url),
        group: config.group,
        state: refusal ?? "ok",
        durability: info?.durability ?? "not known",
        stripes,
        breaker: breaker.state,
        ...(config.state === "draining" ? { draining: true as const } : {}),
        ...(downSinceMs === undefined ? {} : { downSinceMs }),
        ...(breaker.state === "open" ? { retryInMs: Math.max(0, Math.ceil(breaker.retryMs - surroundings.clock.nowMs())) } : {}),
        ...(Object.keys(readMs).length === 0 ? {} : { readMs }),
        ...(isSlow ? { slow: true as const } : {}),
        ...(pool.isTardy(config.id) ? { tardy: true as const } : {}),
        ...(info === undefined ? {} : { usedBytes: info.usedBytes }),
    };
}

function readTimes(latency: Latency, size: ValueSize): { readonly [size in ValueSize]?: ReadTimes } {
    const median = latency.quantile(size, 0.5);
    const p95 = latency.quantile(size, 0.95);
    return median === undefined || p95 === undefined ? {} : { [size]: { median: rounded(median), p95: rounded(p95) } };
}

function rounded(ms: number): number {
    return Math.round(ms * 100) / 100;
}

function warningsOf(
    spare: Readonly<Record<string, number>>,
    owed: number,
    outOfPolicy: number,
    backends: readonly BackendStatus[],
    lagging: readonly string[],
    stopped: string | undefined,
    trouble: string | undefined,
): string[] {
    const warnings: string[] = [];
    if (stopped !== undefined) warnings.push(`nothing is written any more: ${stopped}`);
    else if (trouble !== undefined) warnings.push(`nothing can be written now: ${trouble}`);
    const worst = Math.min(...Object.keys(spare).map(Number));
    if (worst < 0) warnings.push(`${spare[worst]} stripes cannot be read now: ${-worst} shards too few are on backends that answer`);
    else if (worst === 0) warnings.push(`${spare[0]} stripes can be read, but no more backend may be lost`);
    if (outOfPolicy > 0) warnings.push(`${outOfPolicy} stripes would not survive what redundantGroups and redundantNodes say`);
    if (owed > 0) warnings.push(`${owed} stripes have shards that are to be made again elsewhere`);
    for (const { name, state, draining, stripes } of backends) {
        if (draining && stripes > 0) warnings.push(`backend ${name} is taken out, and ${stripes} stripes still have shards on it`);
        else if (!draining && state !== "ok") warnings.push(`nothing is placed on backend ${name}: ${state}`);
    }
    for (const { name, durability, draining } of backends)
        if (!draining && durability !== "commit")
            warnings.push(`backend ${name} may lose acknowledged writes: its durability is ${durability}`);
    for (const name of lagging) warnings.push(`metadata replica ${name} has missed writes and is brought up to date when it answers`);
    return warnings;
}

export interface Explanation {
    readonly placement: readonly string[];
    readonly holds: boolean;
    readonly why: string;
    /** The metadata replicas, and what is being done about them. */
    readonly metadata: readonly string[];
}

/** Where a full stripe would go now, and why not better. */
export function explain(store: Store): Explanation {
    const policy = policyOf(store.config);
    const present = Array.from({ length: policy.dataShards + policy.parityShards }, () => undefined);
    const shardBytes = shardRoom(policy.dataShards);
    const placement: Placement = place({ policy, present, implicit: new Set(), candidates: store.pool.candidates(), shardBytes });
    const words = placement.backends.map((candidate, index) => {
        const member = candidate && store.pool.member(candidate.id);
        return member ? `shard ${index}: ${nameOf(member.config.url)} in group ${member.config.group}` : `shard ${index}: no place`;
    });
    const refused = store.pool.all().flatMap(({ config, refusal }) => (refusal === undefined ? [] : [`${nameOf(config.url)}: ${refusal}`]));
    const why = [placement.why ?? "every loss that the policy means leaves enough shards", ...refused].join("; ");
    const status = metadataOf(store);
    const metadata = [
        ...status.members.map(({ name, state }) => `${name}: ${state}`),
        `${status.quorum} of ${status.replicas} have to answer`,
        ...exchangeWarnings(store, status),
    ];
    return { placement: words, holds: placement.holds && placement.missing.length === 0, why, metadata };
}
