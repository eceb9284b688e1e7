import { hashOf } from "../../engines/zstor/batch.ts";
import { claimedMembership } from "../../engines/zstor/membership.ts";
import type { Store } from "../../engines/zstor/store.ts";
import { liveValues } from "../../engines/zstor/tidying.ts";
import type { MemoryStore } from "./memory-store.ts";

type Live = ReadonlyMap<string, Buffer>;

/**
 * Watches the marks of members: a namespace that is marked as one has at that moment whatever was true when its filling began and still is. What is
 * left out would be brought later, so that nothing at the end shows it, while the mark has made it count.
 */
export class Marks {
    private readonly memory: MemoryStore;
    private readonly frontEnds: () => readonly Store[];
    /** By namespace: for each front end that may be filling it, what was true. */
    private readonly begun = new Map<string, readonly (readonly [Store, Live])[]>();
    /** What went wrong first. */
    defect: Error | undefined;

    constructor(memory: MemoryStore, frontEnds: () => readonly Store[]) {
        this.memory = memory;
        this.frontEnds = frontEnds;
        memory.network.onWrite = (url, key, value) => {
            if (key === "member") this.marked(url, claimedMembership(value)?.standing === "member");
        };
    }

    private marked(url: string, isMember: boolean): void {
        if (!isMember) {
            const filling = this.frontEnds().flatMap((store): (readonly [Store, Live])[] => {
                const live = liveOf(store);
                return live ? [[store, live]] : [];
            });
            this.begun.set(url, filling);
            return;
        }
        const filling = this.begun.get(url) ?? [];
        const missing = filling.map(([store, before]) => this.missingIn(url, before, liveOf(store) ?? new Map()));
        if (missing.length > 0 && missing.every((count) => count > 0))
            this.defect ??= new Error(`${url} was marked as a member and lacked ${Math.min(...missing)} values`);
    }

    private missingIn(url: string, before: Live, now: Live): number {
        const { values } = this.memory.network.namespace(url);
        const right = (key: string, hash: Buffer) => {
            const there = values.get(key);
            return there !== undefined && hashOf(there.value).equals(hash);
        };
        return [...before].filter(([key, hash]) => now.has(key) && !right(key, hash)).length;
    }
}

/** Hashes of what the chain in force names, by key; undefined while a front end does not know. */
export function liveOf({ journal, view }: Store): Live | undefined {
    const { live } = journal;
    const { config } = view;
    return live && config && liveValues(live, config);
}
