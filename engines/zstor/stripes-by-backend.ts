import type { View } from "./view.ts";

/** How many stripes have shards on each backend, by its number; a backend that is not there has none. */
export function stripesByBackend(view: Pick<View, "stripeCounts" | "layout">): ReadonlyMap<number, number> {
    const stripes = new Map<number, number>();
    for (const [id, count] of view.stripeCounts())
        for (const backend of new Set(view.layout(id)?.backends)) stripes.set(backend, (stripes.get(backend) ?? 0) + count);
    return stripes;
}
