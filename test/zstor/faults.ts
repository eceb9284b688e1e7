import type { Store } from "../../engines/zstor/store.ts";
import { MemoryFiles } from "./memory-files.ts";
import type { MemoryNamespace } from "./memory-network.ts";
import { METADATA, type MemoryStore } from "./memory-store.ts";
import { SCRUB_MS } from "./mortal.ts";
import type { SeededRandom } from "./random.ts";

export const BACKENDS = 8;
/** Metadata replicas are exchanged for these. */
export const SPARES = ["memory://m5", "memory://m6", "memory://m7"];
/** What the store promises to bear. */
const MOST_BACKENDS_GONE = 2;
const HEALTHY = { isDown: false, loss: 0, replyLoss: 0, cuts: 0, corruption: 0, delayMs: 5, limitBytes: undefined };
const SLOW = { loss: 0.2, replyLoss: 0.2, cuts: 0.2, delayMs: 3000 };

type Values = ReadonlyMap<string, { readonly value: Buffer; readonly writtenMs: number }>;

/** What is wrong with the world of a store in a simulation. */
export class Faults {
    /** Of all front ends, also of two at once, which spoil it for each other. */
    readonly cache = new MemoryFiles();
    private readonly memory: MemoryStore;
    private readonly random: SeededRandom;
    private readonly gone = new Set<number>();
    /** What metadata namespaces once held, and may be put back to. */
    private readonly kept = new Map<string, Values>();
    /** Nobody notices it before the next scrub of the metadata. */
    private isHidden = false;

    constructor(memory: MemoryStore, random: SeededRandom) {
        this.memory = memory;
        this.random = random;
    }

    /** Something more, or something else, or less; within what the store promises to bear. */
    async disturb(store: Store | undefined, wanted: readonly string[]): Promise<void> {
        const { memory, random } = this;
        if (random.chance(0.3)) this.disturbCache();
        if (random.chance(0.5)) this.keep(random.pick(wanted));
        const kind = random.below(6);
        const index = random.below(BACKENDS);
        const backend = memory.backend(index);
        if (this.gone.has(index)) {
            this.gone.delete(index);
            Object.assign(backend, HEALTHY);
            return;
        }
        if (kind < 5 && this.gone.size < MOST_BACKENDS_GONE && !this.isFragile(store)) {
            this.gone.add(index);
            if (kind === 0) backend.isDown = true;
            if (kind === 1) backend.values.clear();
            if (kind === 2) Object.assign(backend, { corruption: 1 });
            if (kind === 3) Object.assign(backend, SLOW);
            if (kind === 4) backend.limitBytes = backend.usedBytes;
            return;
        }
        await this.healReplicas();
        if (store && areWhole(store)) this.spoil(random.pick(wanted), random.below(8));
    }

    /** Something is wrong with a metadata replica from now on, or, with the greatest number, nothing. From 4 on it has lost something. */
    spoil(url: string, fault: number): void {
        const replica = this.memory.network.namespace(url);
        if (fault === 0) replica.isDown = true;
        if (fault === 1) Object.assign(replica, SLOW);
        if (fault === 2) Object.assign(replica, { corruption: 1 });
        if (fault === 3) replica.limitBytes = replica.usedBytes;
        if (fault === 4) replica.values.clear();
        if (fault === 5) this.putBack(url, this.kept.get(url) ?? replica.values);
        if (fault === 6) this.spoilMark(replica.values);
        this.isHidden ||= fault > 4;
    }

    /** What these namespaces hold. */
    contentsOf(urls: readonly string[]): Map<string, Values> {
        return new Map(urls.map((url) => [url, new Map(this.memory.network.namespace(url).values)]));
    }

    putBack(url: string, values: Values): void {
        const now = this.memory.network.namespace(url).values;
        const kept = [...values];
        now.clear();
        for (const [key, value] of kept) now.set(key, value);
    }

    private keep(url: string): void {
        for (const [each, values] of this.contentsOf([url])) this.kept.set(each, values);
    }

    /** The values that say whether a namespace counts and who writes are lost or damaged one by one, too. */
    private spoilMark(values: MemoryNamespace["values"]): void {
        const key = this.random.pick(["member", "epoch"]);
        const entry = values.get(key);
        if (entry === undefined || this.random.chance(0.3)) {
            values.delete(key);
            return;
        }
        const value = Buffer.from(entry.value);
        const at = this.random.below(value.length);
        value[at] = (value[at] ?? 0) ^ 1;
        values.set(key, { ...entry, value });
    }

    /** All that hold metadata, or have, answer again, and there is time to bring them up to date. */
    async healReplicas(): Promise<void> {
        for (const url of [...METADATA, ...SPARES]) Object.assign(this.memory.network.namespace(url), HEALTHY);
        await this.memory.clock.pass(this.isHidden ? 3 * SCRUB_MS : SCRUB_MS);
        this.isHidden = false;
    }

    healEverything(): void {
        for (const namespace of this.memory.network.namespaces.values()) Object.assign(namespace, HEALTHY);
    }

    /** A stripe lacks shards on more than the backends that are gone: another loss would be beyond the promise. */
    private isFragile(store: Store | undefined): boolean {
        const { memory } = this;
        if (store === undefined) return true;
        for (const [id] of store.view.stripeCounts()) {
            const layout = store.view.layout(id);
            const there = layout?.backends.filter((backend) => backend === 1 || (backend > 1 && !this.gone.has(backend - 2))).length ?? 0;
            if (layout && there - 1 < layout.dataShards) return true;
        }
        return store.badShards.size > 0 || memory.lines.length > 1000;
    }

    /** The disk of the cache becomes full, breaks, or has other bytes than were written. */
    private disturbCache(): void {
        const { cache, random } = this;
        const fault = random.below(4);
        cache.isBroken = fault === 0;
        cache.roomBytes = fault === 1 ? cache.usedBytes + 100_000 : Number.POSITIVE_INFINITY;
        for (const [name, bytes] of cache.files) {
            if (fault === 2) cache.files.set(name, bytes.subarray(0, random.below(bytes.length + 1)));
            if (fault === 3) for (let at = random.below(5000); at < bytes.length; at += 5000) bytes[at] = (bytes[at] ?? 0) ^ 1;
        }
    }
}

/** None of the metadata replicas owes anything, as far as the front end knows: another one may fail. */
export function areWhole(store: Store): boolean {
    return store.journal.failure === undefined && store.replicas.members.every(({ counts, isBehind }) => counts && !isBehind);
}
