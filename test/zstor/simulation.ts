import { galoisCodec } from "../../engines/zstor/galois-codec.ts";
import { StoreError } from "../../engines/zstor/object-api.ts";
import { EMPTY, MISSING } from "../../engines/zstor/record.ts";
import type { Store } from "../../engines/zstor/store.ts";
import { wasmCodec } from "../../engines/zstor/wasm-codec.ts";
import { MemoryFiles } from "./memory-files.ts";
import { backendsOf, METADATA, MemoryStore, piecesOf, read, SETTINGS } from "./memory-store.ts";
import { SeededRandom } from "./random.ts";

/** Stripes of few and of many chunks, and objects that share one. */
const SIZES = [0, 1, 700, 4096, 40_000, 131_072, 140_000, 600_000];
const NAMES = ["a", "b", "c/1", "c/2", "d"];
const STEPS = 25;
const BACKENDS = 8;
/** What the store promises to bear. */
const MOST_BACKENDS_GONE = 2;
const DEAD_AFTER_MS = 30_000;
const SCRUB_MS = 60_000;
const SWEEP_DELAY_MS = 20_000;
const REPACK_AFTER_MS = 3_000;
const CACHE_BYTES = 3 * 1024 * 1024;

/** Nothing acknowledged, and what was tried since without an answer: any of them may be there. Undefined: no object. */
interface Known {
    acknowledged: Buffer | undefined;
    uncertain: (Buffer | undefined)[];
}

export interface SimulationResult {
    readonly acknowledged: number;
    readonly refused: number;
    readonly reads: number;
}

/**
 * One random history of a store: operations of one or two front ends, and faults within the promise (M backends, one metadata replica). Throws when an
 * acknowledged object does not come back byte for byte, or when anything but the right bytes or an error is answered.
 */
export async function simulate(seed: number): Promise<SimulationResult> {
    const random = new SeededRandom(seed ^ 0x5eed);
    const memory = new MemoryStore(seed);
    await memory.create({ backends: backendsOf(BACKENDS), settings: { ...SETTINGS, keepGenerations: 1 + random.below(2) } });
    const history = new History(memory, random);
    await history.begin();
    for (let step = 0; step < STEPS; step++) await history.step();
    await history.heal();
    await history.verifyAll();
    return history.result;
}

class History {
    private readonly memory: MemoryStore;
    private readonly random: SeededRandom;
    private readonly known = new Map<string, Known>();
    private store: Store | undefined;
    /** A front end that another has replaced, and that does not know. */
    private former: Store | undefined;
    private readonly gone = new Set<number>();
    /** Of all front ends, also of two at once, which spoil it for each other. */
    private readonly cache = new MemoryFiles();
    private acknowledged = 0;
    private refused = 0;
    private reads = 0;
    private readonly snapshotBytes: number;

    constructor(memory: MemoryStore, random: SeededRandom) {
        this.memory = memory;
        this.random = random;
        this.snapshotBytes = random.pick([1500, 20_000]);
    }

    get result(): SimulationResult {
        return { acknowledged: this.acknowledged, refused: this.refused, reads: this.reads };
    }

    async begin(): Promise<void> {
        this.store = await this.opened();
    }

    async step(): Promise<void> {
        const kind = this.random.below(20);
        if (kind < 7) return this.putSome();
        if (kind < 9) return this.remove();
        if (kind < 13) return this.verify(this.random.pick(NAMES));
        if (kind < 16) return this.disturb();
        if (kind < 17) return this.restart();
        if (kind < 18) return this.secondFrontEnd();
        if (this.store && this.random.chance(0.7)) await this.care(this.store);
        await this.memory.clock.pass(this.random.pick([100, 5_000, 2 * DEAD_AFTER_MS]));
    }

    /** Something that a person asks for, while somebody reads. */
    private async care(store: Store): Promise<void> {
        const work = this.random.chance(0.5) ? store.caretaker.rebalance() : store.caretaker.repack();
        const name = this.random.pick(NAMES);
        const [, found] = await this.memory.clock.run(Promise.all([this.succeeded(work, store), this.found(store, name)]));
        this.judge(name, found, this.possible(name));
    }

    /** Several at once, of different names: order among those of one name is not known. */
    private async putSome(): Promise<void> {
        const names = NAMES.filter(() => this.random.chance(0.4));
        await this.memory.clock.run(Promise.all(names.map((name) => this.put(this.store, name))));
        if (this.former && this.random.chance(0.5)) await this.memory.clock.run(this.put(this.former, this.random.pick(NAMES)));
    }

    private async put(store: Store | undefined, name: string): Promise<void> {
        if (store === undefined) return;
        const size = this.random.pick(SIZES);
        const content = this.random.chance(0.5) ? this.random.bytes(size) : Buffer.alloc(size, this.random.below(256));
        const known = this.about(name);
        const uncertain = [...known.uncertain, content];
        known.uncertain = uncertain;
        if (await this.succeeded(store.put(name, piecesOf(content)), store)) {
            known.acknowledged = content;
            // What was tried before it and may still come is older than it: generations only rise.
            known.uncertain = [];
        }
    }

    private async remove(): Promise<void> {
        const { store } = this;
        if (store === undefined) return;
        const name = this.random.pick(NAMES);
        const known = this.about(name);
        known.uncertain = [...known.uncertain, undefined];
        if (await this.memory.clock.run(this.succeeded(store.remove(name), store))) {
            known.acknowledged = undefined;
            known.uncertain = [];
        }
    }

    private about(name: string): Known {
        let known = this.known.get(name);
        if (known === undefined) {
            known = { acknowledged: undefined, uncertain: [] };
            this.known.set(name, known);
        }
        return known;
    }

    /** Errors of ours are answers; others are defects. */
    private async succeeded(work: Promise<unknown>, store: Store): Promise<boolean> {
        try {
            await work;
            this.acknowledged++;
            return true;
        } catch (error) {
            if (!(error instanceof StoreError)) throw error;
            this.refused++;
            if (error.failure === "superseded" && store === this.former) this.former = undefined;
            return false;
        }
    }

    private async verify(name: string): Promise<void> {
        const { store } = this;
        if (store === undefined) return;
        const possible = this.possible(name);
        const found = await this.memory.clock.run(this.found(store, name));
        this.judge(name, found, possible);
        await this.verifyPart(store, name, found, possible);
    }

    private possible(name: string): (Buffer | undefined)[] {
        const { acknowledged, uncertain } = this.about(name);
        return [acknowledged, ...uncertain];
    }

    private async found(store: Store, name: string): Promise<Buffer | undefined> {
        this.reads++;
        try {
            return await read(store, name);
        } catch (error) {
            if (!(error instanceof StoreError)) throw error;
            if (error.failure !== "not-found") throw new Error(`${name} cannot be read: ${error.message}`);
            return undefined;
        }
    }

    private judge(name: string, found: Buffer | undefined, possible: readonly (Buffer | undefined)[]): void {
        const isPossible = possible.some((content) => (content === undefined ? found === undefined : found?.equals(content)));
        if (!isPossible)
            throw new Error(
                `${name} is ${found === undefined ? "not there" : `${found.length} other bytes`}, of ${possible.map((content) => content?.length ?? "none").join(", ")}`,
            );
    }

    /** What was uncertain may have become true since the whole was read, but never is a part of two. */
    private async verifyPart(
        store: Store,
        name: string,
        whole: Buffer | undefined,
        possible: readonly (Buffer | undefined)[],
    ): Promise<void> {
        if (whole === undefined || whole.length === 0) return;
        const offset = this.random.below(whole.length);
        const length = 1 + this.random.below(whole.length - offset);
        try {
            const part = await this.memory.clock.run(read(store, name, offset, length));
            if (!possible.some((content) => content && part.equals(content.subarray(offset, offset + length))))
                throw new Error(`a part of ${name} is of nothing that was put`);
        } catch (error) {
            if (!(error instanceof StoreError && error.failure === "not-found" && possible.includes(undefined))) throw error;
        }
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

    private async disturb(): Promise<void> {
        const { memory, random } = this;
        if (random.chance(0.3)) this.disturbCache();
        const kind = random.below(5);
        const index = random.below(BACKENDS);
        const backend = memory.backend(index);
        if (this.gone.has(index)) {
            this.gone.delete(index);
            Object.assign(backend, { isDown: false, loss: 0, replyLoss: 0, corruption: 0, delayMs: 5 });
            return;
        }
        if (kind < 4 && this.gone.size < MOST_BACKENDS_GONE && !this.isFragile()) {
            this.gone.add(index);
            if (kind === 0) backend.isDown = true;
            if (kind === 1) backend.values.clear();
            if (kind === 2) Object.assign(backend, { corruption: 1 });
            if (kind === 3) Object.assign(backend, { loss: 0.3, replyLoss: 0.3, delayMs: 3000 });
            return;
        }
        const replica = memory.replica(random.below(METADATA.length));
        for (const each of METADATA.keys())
            Object.assign(memory.replica(each), { isDown: false, loss: 0, replyLoss: 0, delayMs: 5, corruption: 0 });
        await memory.clock.pass(60_000);
        const fault = random.below(4);
        if (fault === 0) replica.isDown = true;
        if (fault === 1) Object.assign(replica, { loss: 0.3, replyLoss: 0.3, delayMs: 5000 });
        if (fault === 2) Object.assign(replica, { corruption: 1 });
    }

    /** A stripe lacks shards on more than the backends that are gone: another loss would be beyond the promise. */
    private isFragile(): boolean {
        const { store, memory } = this;
        if (store === undefined) return true;
        for (const [id] of store.view.stripeCounts()) {
            const layout = store.view.layout(id);
            const there = layout?.backends.filter((backend) => backend === 1 || (backend > 1 && !this.gone.has(backend - 2))).length ?? 0;
            if (layout && there - 1 < layout.dataShards) return true;
        }
        return store.badShards.size > 0 || memory.lines.length > 1000;
    }

    private async restart(): Promise<void> {
        const { store } = this;
        this.store = undefined;
        // In the middle of whatever it does, or in order.
        if (store && this.random.chance(0.5)) await this.memory.clock.run(store.close());
        this.former = undefined;
        this.store = await this.opened();
    }

    private async secondFrontEnd(): Promise<void> {
        this.former = this.store;
        this.store = await this.opened();
    }

    private async opened(): Promise<Store> {
        for (;;) {
            try {
                const store = await this.memory.open({
                    snapshotBytes: this.snapshotBytes,
                    deadAfterMs: DEAD_AFTER_MS,
                    scrubMs: SCRUB_MS,
                    sweepDelayMs: SWEEP_DELAY_MS,
                    repackAfterMs: REPACK_AFTER_MS,
                    cache: { files: this.cache, sizeBytes: CACHE_BYTES },
                    codec: wasmCodec() ?? galoisCodec,
                });
                store.caretaker.confirmSweep();
                store.caretaker.start();
                return store;
            } catch (error) {
                if (!(error instanceof StoreError) || !["no-quorum", "superseded"].includes(error.failure)) throw error;
                this.refused++;
                await this.memory.clock.pass(10_000);
            }
        }
    }

    /** Everything answers again; what is owed is done. */
    async heal(): Promise<void> {
        for (const namespace of this.memory.network.namespaces.values())
            Object.assign(namespace, { isDown: false, loss: 0, replyLoss: 0, corruption: 0, delayMs: 5 });
        await this.restart();
        await this.memory.clock.pass(4 * DEAD_AFTER_MS);
    }

    async verifyAll(): Promise<void> {
        for (const name of NAMES) await this.verify(name);
        const listed = this.store?.list("").map(({ name }) => name) ?? [];
        for (const [name, { acknowledged, uncertain }] of this.known)
            if (uncertain.length === 0 && listed.includes(name) !== (acknowledged !== undefined))
                throw new Error(`${name} is listed wrongly`);
        this.verifyShards();
    }

    /** Once all is well and some time has passed, exactly the shards that the metadata name are there, each where they say. */
    private verifyShards(): void {
        const { store, memory } = this;
        if (store === undefined) throw new Error("no front end");
        const named = new Set<string>();
        for (const { id, layout, refs } of store.view.everyStripe()) {
            if (refs === 0) throw new Error(`stripe ${id} was not freed`);
            const { backends = [], moves = [] } = store.view.layout(layout) ?? {};
            for (const [index, backend] of backends.entries()) {
                if (backend === MISSING)
                    throw new Error(`shard ${index} of stripe ${id} has no place: ${memory.lines.slice(-3).join(" | ")}`);
                if (backend !== EMPTY) named.add(`${backend} ${store.keys.shardKey(id, index, moves[index] ?? 0).toString("hex")}`);
            }
        }
        for (let index = 0; index < BACKENDS; index++) {
            for (const key of memory.backend(index).values.keys()) {
                const shard = `${index + 2} ${Buffer.from(key, "latin1").toString("hex")}`;
                if (!named.delete(shard)) throw new Error(`backend ${index} holds a shard that nothing names`);
            }
        }
        if (named.size > 0) throw new Error(`${named.size} shards are not where the metadata say`);
    }
}
