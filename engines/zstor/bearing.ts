import { type Candidate, shardsLeft } from "./placement.ts";

/** How much more may be lost, whatever it is, so that every stripe can still be read. Below 0: some cannot be read now. */
export interface Bearing {
    readonly backends: number;
    readonly groups: number;
}

/** Of one stripe: where its shards are that can be had now, and those that need no place. */
export interface Standing {
    readonly dataShards: number;
    readonly places: readonly (Candidate | undefined)[];
    readonly implicit: ReadonlySet<number>;
}

/** Of all stripes together: as the weakest bears. Undefined when there is none. */
export function bearingOf(stripes: Iterable<Standing>): Bearing | undefined {
    let least: Bearing | undefined;
    for (const stripe of stripes) {
        const { backends, groups } = bearingOfOne(stripe);
        least = { backends: Math.min(least?.backends ?? backends, backends), groups: Math.min(least?.groups ?? groups, groups) };
    }
    return least;
}

function bearingOfOne({ dataShards, places, implicit }: Standing): Bearing {
    const there = places.filter((place) => place !== undefined).length + implicit.size;
    if (there < dataShards) return { backends: there - dataShards, groups: -1 };
    const inUse = new Set(places.flatMap((place) => (place ? [place.group] : []))).size;
    let groups = 0;
    while (groups < inUse && leftAfter(groups + 1) >= dataShards) groups++;
    return { backends: there - dataShards, groups };

    function leftAfter(redundantGroups: number): number {
        return shardsLeft({ dataShards, parityShards: 0, redundantGroups, redundantNodes: 0 }, places, implicit);
    }
}
