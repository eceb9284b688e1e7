import { MERGED_AT_LEAST, REPACK_GAIN, REPACK_TIER } from "./limits.ts";
import type { StripeId } from "./record.ts";
import { Filling, shardRoom, storedBytesOf } from "./stripe-builder.ts";

/** A stripe that might be packed anew. */
export interface Packed {
    readonly id: StripeId;
    readonly createdMs: number;
    /** Of its chunks that something names, and of all its shards. */
    readonly liveBytes: number;
    readonly storedBytes: number;
}

export interface PackingInto {
    readonly dataShards: number;
    readonly parityShards: number;
    /** Stripes that are younger wait for company, unless they fill one together. */
    readonly settledMs: number;
    /** Lengths of the chunks that live in a stripe; undefined when it is to be left alone. */
    readonly sizesOf: (id: StripeId) => readonly number[] | undefined;
}

/**
 * Which stripes to pack into one, the next thing that is worth it; undefined when nothing is. It is when the shards get smaller by a good part: partial stripes,
 * whose parity is as long as their one chunk, and those of which most is deleted; or when many stripes of one order of magnitude become one. Each time that a
 * chunk is moved its stripe is an order larger or its waste is gone, so it is moved a few times at most.
 */
export function planRepack(stripes: readonly Packed[], into: PackingInto): StripeId[] | undefined {
    const room = into.dataShards * shardRoom(into.dataShards);
    const candidates = stripes.filter(({ liveBytes, storedBytes }) => liveBytes <= room / 2 || isWasteful(liveBytes, storedBytes, into));
    const tiers = Map.groupBy(candidates, ({ liveBytes }) => Math.floor(Math.log(room / Math.max(1, liveBytes)) / Math.log(REPACK_TIER)));
    // The smallest first: most records go with them.
    for (const tier of [...tiers].sort(([a], [b]) => b - a)) {
        const found = worthIt(tier[1], room, into);
        if (found) return found;
    }
    return worthIt(
        candidates.filter(({ liveBytes, storedBytes }) => isWasteful(liveBytes, storedBytes, into)),
        room,
        into,
    );
}

function isWasteful(liveBytes: number, storedBytes: number, { dataShards, parityShards }: PackingInto): boolean {
    return liveBytes * (dataShards + parityShards) <= REPACK_GAIN * storedBytes * dataShards;
}

/** As many of them, in their order, as fit one stripe. */
function worthIt(stripes: readonly Packed[], room: number, into: PackingInto): StripeId[] | undefined {
    const { dataShards, parityShards, settledMs } = into;
    const group: Packed[] = [];
    const sizes: number[] = [];
    const filling = new Filling(dataShards);
    let live = 0;
    for (const stripe of [...stripes].sort((a, b) => (a.id < b.id ? -1 : 1))) {
        if (live + stripe.liveBytes > room) break;
        const more = into.sizesOf(stripe.id);
        if (more === undefined) continue;
        if (!more.every((size) => filling.add(size))) break;
        group.push(stripe);
        sizes.push(...more);
        live += stripe.liveBytes;
    }
    const isYoung = group.some(({ createdMs }) => createdMs > settledMs);
    if (group.length === 0 || (isYoung && live < room / 2)) return undefined;
    const before = group.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    const after = storedBytesOf(sizes, dataShards, parityShards);
    const isSmaller = after <= REPACK_GAIN * before;
    const isMerge = group.length >= MERGED_AT_LEAST && after <= before;
    return isSmaller || isMerge ? group.map(({ id }) => id) : undefined;
}
