/** How a store is cut and spread. */
export interface Layout {
    readonly dataShards: number;
    readonly parityShards: number;
    readonly redundantGroups: number;
}

/** What each place gets. */
export interface Parts {
    readonly partsOfPlace: number;
    readonly partBytes: number;
}

/** An argument that cannot be, and what to write instead. */
export interface Refusal {
    readonly argument: string;
    readonly reason: string;
}

/** Room for shards that are on their way to another place, and for those whose deletion is still to come. */
const RESERVE_BYTES = 16 * 2 ** 20;
/** What sealing, keys and stripes that are not full take of objects of some MiB, and then some. */
const OVERHEAD = 1 / 16;

/** So many parts on each place, and so large, that all of the store has room on the places that are left after the loss that is meant. */
export const partsFor = (bytes: number, places: number, { dataShards, parityShards, redundantGroups }: Layout): Parts => {
    const left = Math.max(1, places - redundantGroups);
    const partsOfPlace = Math.ceil((dataShards + parityShards) / left);
    const shardBytes = (bytes * (1 + OVERHEAD) * (dataShards + parityShards)) / dataShards;
    return { partsOfPlace, partBytes: Math.ceil(shardBytes / (left * partsOfPlace)) + RESERVE_BYTES };
};

/** So many copies of the metadata bear a loss of so many of them, also when one that is left has missed the last writes. */
export const metadataFor = (redundantGroups: number): number => 3 * Math.max(1, redundantGroups) + 1;

/** How many of so many copies may be lost while the store goes on, by the quorum that the engine asks for. */
const bearable = (copies: number): number => (copies === 3 ? 1 : Math.floor((copies - 1) / 3));

/** Why the loss that is meant cannot be borne by so many places; undefined when it can. */
export const refusalOf = (places: number, metadata: number, layout: Layout): Refusal | undefined =>
    refusalOfNumbers(layout) ?? refusalOfSpread(places, layout) ?? refusalOfMetadata(metadata, layout);

const refusalOfNumbers = (layout: Layout): Refusal | undefined => {
    for (const argument of ["dataShards", "parityShards", "redundantGroups"] as const) {
        const least = argument === "redundantGroups" ? 0 : 1;
        if (!Number.isInteger(layout[argument]) || layout[argument] < least)
            return { argument, reason: `write a whole number from ${least}` };
    }
    return undefined;
};

const refusalOfSpread = (places: number, { dataShards, parityShards, redundantGroups }: Layout): Refusal | undefined => {
    const all = dataShards + parityShards;
    const taken = lostBy(redundantGroups, all, places);
    if (taken <= parityShards) return undefined;
    const argument = "redundantGroups";
    if (redundantGroups > parityShards) {
        const reason = `a loss of ${redundantGroups} places takes at least so many shards: write parityShards: ${redundantGroups} or more`;
        return { argument, reason };
    }
    let enough = places;
    while (lostBy(redundantGroups, all, enough) > parityShards) enough++;
    const reason = `a loss of ${redundantGroups} of ${places} places takes ${taken} of ${all} shards, and parityShards ${parityShards} makes up for ${parityShards}: name ${enough} places, or write other numbers`;
    return { argument, reason };
};

/** Shards on the fullest places when they are spread evenly. */
const lostBy = (lost: number, shards: number, places: number): number =>
    Math.min(lost, places) * Math.floor(shards / places) + Math.min(lost, shards % places);

const refusalOfMetadata = (copies: number, { redundantGroups }: Layout): Refusal | undefined => {
    if (bearable(copies) >= redundantGroups) return undefined;
    const wanted = redundantGroups === 1 ? 3 : metadataFor(redundantGroups);
    const reason = `${copies} copies bear the loss of ${bearable(copies)}, and redundantGroups is ${redundantGroups}: name at least ${wanted} machines`;
    return { argument: "metadata", reason };
};
