/** A backend as placement sees it: pure data, gathered before. */
export interface Candidate {
    readonly id: number;
    /** Failure domain: what is lost together. */
    readonly group: string;
    /** What is one disk; two shards of a stripe never lie on one. */
    readonly disk: string;
    /** Share of new data, 1 by default. */
    readonly weight: number;
    readonly freeBytes: number;
}

export interface Policy {
    readonly dataShards: number;
    readonly parityShards: number;
    /** K shards are left when so many groups are lost ... */
    readonly redundantGroups: number;
    /** ... and so many backends in each other group. */
    readonly redundantNodes: number;
}

export interface PlacementRequest {
    readonly policy: Policy;
    /** Where shards already are, by index; undefined where one is to be placed. */
    readonly present: readonly (Candidate | undefined)[];
    /** Indexes that need no place: empty data shards. */
    readonly implicit: ReadonlySet<number>;
    readonly candidates: readonly Candidate[];
    readonly shardBytes: number;
}

export interface Placement {
    /** By index; undefined: no place could be had (debt), or implicit. */
    readonly backends: readonly (Candidate | undefined)[];
    /** Shards that could not be placed. */
    readonly missing: readonly number[];
    /** The policy holds: losing what it says leaves K. */
    readonly holds: boolean;
    /** Why it does not hold, or why shards are missing, with numbers; undefined when all is well. */
    readonly why?: string;
}

/**
 * Greedy: each shard goes to the group that has the fewest shards of the stripe, there to the backend with the most free bytes by weight. Even distribution makes the largest
 * groups as small as they can be, which is what the policy counts. One group more costs `redundantNodes` more of other groups, so every number of groups
 * is tried, polynomially, and the legal result over the most groups taken.
 */
export function place(request: PlacementRequest): Placement {
    const groups = [...new Set(request.candidates.map((candidate) => candidate.group))];
    let best: Placement | undefined;
    for (let most = groups.length; most >= 1; most--) {
        const found = spread(request, most);
        if (best === undefined || better(found, best)) best = found;
        if (best.holds && best.missing.length === 0) break;
    }
    return best ?? judged(request, [...request.present]);
}

/** Among those that keep up, when everything has as good a place there; among all otherwise. */
export function placePromptly(request: PlacementRequest, isTardy: (id: number) => boolean): Placement {
    const prompt = request.candidates.filter(({ id }) => !isTardy(id));
    const whole = place(request);
    if (prompt.length === request.candidates.length) return whole;
    const found = place({ ...request, candidates: prompt });
    return better(whole, found) ? whole : found;
}

function better(one: Placement, other: Placement): boolean {
    if (one.missing.length !== other.missing.length) return one.missing.length < other.missing.length;
    return one.holds && !other.holds;
}

function spread(request: PlacementRequest, mostGroups: number): Placement {
    const { present, implicit, candidates, shardBytes } = request;
    const placed = [...present];
    const taken = placed.filter((candidate) => candidate !== undefined);
    const usedDisks = new Set(taken.map(({ disk }) => disk));
    const perGroup = new Map<string, number>();
    for (const { group } of taken) perGroup.set(group, (perGroup.get(group) ?? 0) + 1);
    for (let index = 0; index < placed.length; index++) {
        if (placed[index] !== undefined || implicit.has(index)) continue;
        const open = candidates.filter(
            ({ disk, freeBytes, group }) =>
                !usedDisks.has(disk) && freeBytes >= shardBytes && (perGroup.has(group) || perGroup.size < mostGroups),
        );
        const chosen = open.reduce<Candidate | undefined>(
            (kept, candidate) => (kept && !prefer(candidate, kept, perGroup) ? kept : candidate),
            undefined,
        );
        if (chosen === undefined) continue;
        placed[index] = chosen;
        usedDisks.add(chosen.disk);
        perGroup.set(chosen.group, (perGroup.get(chosen.group) ?? 0) + 1);
    }
    return judged(request, placed);
}

function prefer(one: Candidate, other: Candidate, perGroup: ReadonlyMap<string, number>): boolean {
    const difference = (perGroup.get(one.group) ?? 0) - (perGroup.get(other.group) ?? 0);
    if (difference !== 0) return difference < 0;
    const room = one.freeBytes * one.weight - other.freeBytes * other.weight;
    return room !== 0 ? room > 0 : one.id < other.id;
}

function judged(request: PlacementRequest, backends: readonly (Candidate | undefined)[]): Placement {
    const missing = backends.flatMap((candidate, index) => (candidate === undefined && !request.implicit.has(index) ? [index] : []));
    const left = shardsLeft(request.policy, backends, request.implicit);
    const holds = left >= request.policy.dataShards;
    const why = sentence(request, missing, left);
    return { backends, missing, holds, ...(why === undefined ? {} : { why }) };
}

/** How many shards are left at the worst that the policy means. */
export function shardsLeft(policy: Policy, backends: readonly (Candidate | undefined)[], implicit: ReadonlySet<number>): number {
    const perGroup = new Map<string, number>();
    for (const candidate of backends) if (candidate) perGroup.set(candidate.group, (perGroup.get(candidate.group) ?? 0) + 1);
    const counts = [...perGroup.values()].sort((a, b) => b - a);
    const there = counts.reduce((sum, count) => sum + count, 0) + implicit.size;
    const lostGroups = counts.slice(0, policy.redundantGroups).reduce((sum, count) => sum + count, 0);
    const lostNodes = counts.slice(policy.redundantGroups).reduce((sum, count) => sum + Math.min(count, policy.redundantNodes), 0);
    return there - lostGroups - lostNodes;
}

function sentence(request: PlacementRequest, missing: readonly number[], left: number): string | undefined {
    const { policy, candidates, shardBytes } = request;
    const all = policy.dataShards + policy.parityShards;
    const fitting = candidates.filter(({ freeBytes }) => freeBytes >= shardBytes);
    const disks = new Set(fitting.map(({ disk }) => disk)).size;
    if (missing.length > 0)
        return `${missing.length} of ${all} shards have no place: ${candidates.length} backends can be written to, ${fitting.length} of them have room for ${shardBytes} bytes, on ${disks} disks`;
    if (left >= policy.dataShards) return undefined;
    const groups = new Set(candidates.map(({ group }) => group)).size;
    return `after a loss of ${policy.redundantGroups} groups and ${policy.redundantNodes} backends in each other group ${left} shards would be left of the ${policy.dataShards} needed: there are ${groups} groups with ${candidates.length} backends`;
}
