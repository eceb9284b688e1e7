import { identityOf } from "./backend-url.ts";
import { hashOf } from "./batch.ts";
import { type OpenedRecord, recordInForce } from "./bootstrap.ts";
import { BoundedBackend } from "./bounded-backend.ts";
import type { CacheFiles } from "./cache-files.ts";
import { Caretaker } from "./caretaker.ts";
import { type Engine, generationKey } from "./engine.ts";
import type { ErasureCodec } from "./erasure.ts";
import { Exchange } from "./exchange.ts";
import { reached } from "./failpoint.ts";
import { Figures } from "./figures.ts";
import { readObject } from "./get.ts";
import { Journal } from "./journal.ts";
import { StoreKeys } from "./keys.ts";
import { Layouts } from "./layouts.ts";
import { DEAD_AFTER_MS, MAX_NAME_BYTES, REPACK_AFTER_MS, SCRUB_MS, STRIPES_IN_FLIGHT, SWEEP_DELAY_MS } from "./limits.ts";
import { keyOf } from "./metadata-key.ts";
import { MoveNumbers } from "./move-numbers.ts";
import { type ObjectInfo, type ObjectStore, type PutOptions, type Range, StoreError } from "./object-api.ts";
import { Packer } from "./packer.ts";
import { type Connect, Pool } from "./pool.ts";
import { nextGeneration, putObject } from "./put.ts";
import { ReadCache } from "./read-cache.ts";
import type { StripeId } from "./record.ts";
import { type ReplicaSet, Replicas } from "./replicas.ts";
import { NONCE_BYTES } from "./sealing.ts";
import { ShardBuffers } from "./shard-buffers.ts";
import { Slots } from "./slots.ts";
import { replicaSetsOf, type SealingKey, type StoreConfig, sealingKey, sealStoreRecord } from "./store-record.ts";
import { shardRoom } from "./stripe-builder.ts";
import type { Surroundings } from "./surroundings.ts";
import { type ConfigRecord, View } from "./view.ts";
import type { Generation } from "./view-rows.ts";
import { writerId } from "./writer.ts";

const SALT_BYTES = 32;

/** What a store needs of the world. */
export interface StoreParts {
    readonly surroundings: Surroundings;
    readonly connect: Connect;
    readonly codec: ErasureCodec;
    /** SQLite file of the view, or `:memory:`. */
    readonly viewPath: string;
    readonly deadAfterMs?: number;
    /** Every shard is compared once in this time; 0: only when asked. */
    readonly scrubMs?: number;
    readonly sweepDelayMs?: number;
    readonly repackAfterMs?: number;
    /** Keeps what was read, sealed as it is. */
    readonly cache?: { readonly files: CacheFiles; readonly sizeBytes: number };
    /** For tests: smaller than `limits.ts`. */
    readonly snapshotBytes?: number;
    readonly secretCost?: number;
}

export class Store implements ObjectStore, Engine {
    readonly surroundings: Surroundings;
    readonly keys: StoreKeys;
    readonly codec: ErasureCodec;
    readonly buffers: ShardBuffers;
    readonly pool: Pool;
    readonly view: View;
    readonly journal: Journal;
    readonly layouts: Layouts;
    readonly moveNumbers: MoveNumbers;
    readonly replicas: Replicas;
    readonly exchange: Exchange;
    readonly caretaker: Caretaker;
    readonly figures: Figures;
    readonly stageFigures: Figures;
    readonly cache: ReadCache | undefined;
    readonly stripeSlots = new Slots(STRIPES_IN_FLIGHT);
    readonly drafts = new Map<string, number>();
    readonly readers = new Map<string, number>();
    readonly badShards = new Map<StripeId, Set<number>>();
    readonly unnamed = new Set<StripeId>();
    private opened: OpenedRecord;
    private isOpen = false;
    /** Secrets that a store record may be sealed with: the one that opened the store, and what it is changed to. */
    private readonly secrets: Set<string>;
    /** Sets of replicas that a record names which is being put in force: until it is known, everything has to be true in them too. */
    private coming: readonly ReplicaSet[] = [];
    private lastGeneration: number;
    private changing: Promise<void> = Promise.resolve();
    /** Urls of metadata namespaces that whoever opened the store knows. */
    private readonly given: readonly string[];
    readonly packer: Packer;
    private readonly stripePrefix: string;
    private stripeSerial = 0;

    static async open(parts: StoreParts, secret: string, found: OpenedRecord, given: readonly string[]): Promise<Store> {
        const store = new Store(parts, secret, found, given);
        try {
            await store.takeOver();
            // What is found late is a miss until then.
            void store.cache?.open();
            return store;
        } catch (error) {
            await store.close();
            throw error;
        }
    }

    private constructor(parts: StoreParts, secret: string, found: OpenedRecord, given: readonly string[]) {
        const {
            surroundings,
            connect,
            codec,
            viewPath,
            deadAfterMs = DEAD_AFTER_MS,
            scrubMs = SCRUB_MS,
            sweepDelayMs = SWEEP_DELAY_MS,
            repackAfterMs = REPACK_AFTER_MS,
        } = parts;
        const { config } = found;
        this.opened = found;
        this.secrets = new Set([secret]);
        this.lastGeneration = config.generation;
        this.given = given;
        this.surroundings = surroundings;
        this.codec = codec;
        this.buffers = new ShardBuffers(shardRoom(config.settings.dataShards));
        this.figures = new Figures(surroundings.clock);
        this.stageFigures = new Figures(surroundings.clock);
        this.cache = parts.cache && new ReadCache(parts.cache.files, parts.cache.sizeBytes, surroundings);
        this.keys = new StoreKeys(Buffer.from(config.storeKey, "base64"));
        this.pool = new Pool(connect, surroundings);
        this.view = new View(viewPath, config.storeId);
        this.layouts = new Layouts(this.view);
        this.moveNumbers = new MoveNumbers(surroundings);
        const storeId = Buffer.from(config.storeId, "hex");
        this.replicas = new Replicas({
            connect: (url) => new BoundedBackend(connect(url), surroundings.clock),
            clock: surroundings.clock,
            keys: this.keys,
            storeId,
        });
        this.takeReplicas();
        const { replicas, keys, view } = this;
        const { snapshotBytes } = parts;
        this.journal = new Journal({
            replicas,
            keys,
            storeId,
            view,
            surroundings,
            follow: (named) => this.follow(named),
            ...(snapshotBytes === undefined ? {} : { snapshotBytes }),
        });
        this.packer = new Packer(this);
        const { journal } = this;
        this.exchange = new Exchange({
            ...{ replicas, journal, view, keys, storeId, surroundings, connect },
            config: () => this.config,
            reconfigure: (change) => this.reconfigure(change),
            currentUrl: (url) => withCredentials([url], given)[0] ?? url,
        });
        this.caretaker = new Caretaker(this, { replicas, journal, view, keys, storeId }, this.exchange, {
            deadAfterMs,
            scrubMs,
            sweepDelayMs,
            repackAfterMs,
        });
        // The epoch is filled in once there is one.
        this.stripePrefix = surroundings.random(4).toString("hex");
    }

    private async takeOver(): Promise<void> {
        await this.journal.open();
        if (this.view.config === undefined) await this.nameRecord(this.opened);
        await this.pool.configure(this.config.backends);
        this.isOpen = true;
    }

    /** The record that the chain names is the one in force, whichever this front end began with or tried to put there. */
    private async follow(named: ConfigRecord | undefined): Promise<boolean> {
        if (named !== undefined && !named.sha256.equals(this.opened.sha256)) {
            this.opened = await recordInForce(this.replicas, this.secrets, named);
            this.lastGeneration = Math.max(this.lastGeneration, this.config.generation);
            if (this.isOpen) await this.pool.configure(this.config.backends);
        }
        return this.takeReplicas();
    }

    /** True when they are other ones than before. */
    private takeReplicas(): boolean {
        const sets = [...replicaSetsOf(this.config), ...this.coming];
        const known = new Map(sets.map((set) => [JSON.stringify(set), set]));
        const current = [...known.values()].map((set) => ({ ...set, metadata: withCredentials(set.metadata, this.given) }));
        return this.replicas.configure(current, this.config.configuration !== undefined);
    }

    /** Urls that were given to find the store by, and are none of its metadata namespaces. */
    get unusedMetadata(): string[] {
        const known = replicaSetsOf(this.config).flatMap(({ metadata }) => metadata.map(identityOf));
        return this.given.filter((url) => !known.includes(identityOf(url)));
    }

    get config(): StoreConfig {
        return this.opened.config;
    }

    async put(name: string, content: AsyncIterable<Uint8Array>, { signal }: PutOptions = {}): Promise<ObjectInfo> {
        checkName(name);
        const work = () => putObject(this, this.packer, name, content, signal);
        const { generation, sizeBytes, createdMs } = await this.figures.time("put", (put) => put.sizeBytes, work);
        return { name, generation, sizeBytes, createdMs, removed: false };
    }

    async get(name: string, range?: Range, generation?: number): Promise<{ info: ObjectInfo; bytes: AsyncIterable<Buffer> }> {
        checkName(name);
        const found = generation === undefined ? this.view.current(name) : this.view.generation(this.keys.objectId(name), generation);
        if (found === undefined || found.removed)
            throw new StoreError(
                "not-found",
                `there is no object ${name}${generation === undefined ? "" : ` of generation ${generation}`}`,
            );
        const wanted = range ?? { offset: 0, length: found.sizeBytes };
        if (!(Number.isSafeInteger(wanted.offset) && wanted.offset >= 0 && Number.isSafeInteger(wanted.length) && wanted.length >= 0))
            throw new StoreError("invalid", `a range has an offset and a length from 0 on, not ${wanted.offset} and ${wanted.length}`);
        return { info: infoOf(found), bytes: this.timed(readObject(this, found, wanted)) };
    }

    /** Until the reader has the last of it, or goes. */
    private async *timed(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
        let sum = 0;
        let toldOfEnd: () => void = () => undefined;
        let toldOfFailure: (error: unknown) => void = () => undefined;
        const reading = new Promise<void>((resolve, reject) => {
            toldOfEnd = resolve;
            toldOfFailure = reject;
        });
        // Whoever reads hears of it.
        this.figures
            .time(
                "get",
                () => sum,
                () => reading,
            )
            .catch(() => undefined);
        try {
            for await (const part of bytes) {
                sum += part.length;
                yield part;
            }
        } catch (error) {
            toldOfFailure(error);
            throw error;
        } finally {
            toldOfEnd();
        }
    }

    stat(name: string): ObjectInfo | undefined {
        checkName(name);
        const found = this.view.current(name);
        return found && !found.removed ? infoOf(found) : undefined;
    }

    list(prefix: string, after = "", limit = 1000): ObjectInfo[] {
        return this.view.list(prefix, after, limit).map(infoOf);
    }

    history(name: string): ObjectInfo[] {
        checkName(name);
        return this.view.generations(this.keys.objectId(name)).map(infoOf);
    }

    async remove(name: string): Promise<boolean> {
        checkName(name);
        await this.journal.certain();
        if (this.stat(name) === undefined) return false;
        const object = this.keys.objectId(name);
        const generation = nextGeneration(this, object);
        const session = this.journal.session;
        const draft = generationKey(object, generation);
        this.drafts.set(draft, generation);
        try {
            await this.journal.commit([{ type: "remove", object, generation, name, createdMs: this.surroundings.clock.nowMs() }], session);
        } finally {
            this.drafts.delete(draft);
        }
        reached("remove: named, not acknowledged");
        return true;
    }

    /** Changes what the store record says; true when it settles. K and M of what is stored stay what they are. */
    reconfigure(change: Partial<StoreConfig>, sealing?: SealingKey): Promise<void> {
        const done = this.changing.then(() => this.putInForce(change, sealing));
        this.changing = done.catch(() => undefined);
        return done;
    }

    private async putInForce(change: Partial<StoreConfig>, sealing = this.opened.sealing): Promise<void> {
        // What became of a change before is known then.
        await this.journal.verify();
        const { config } = this.opened;
        const next: StoreConfig = { ...config, ...change, generation: ++this.lastGeneration };
        const writer = writerId(this.epoch, Buffer.from(this.stripePrefix, "hex"));
        const value = sealStoreRecord(sealing, this.surroundings.random(NONCE_BYTES), next);
        const record: OpenedRecord = { config: next, sealing, writer, sha256: hashOf(value) };
        this.coming = replicaSetsOf(next);
        this.takeReplicas();
        try {
            await this.replicas.write(keyOf({ kind: "store", writer, generation: next.generation }), value);
            reached("rotation: record written, not named");
            await this.nameRecord(record);
            reached("rotation: record named");
            this.opened = record;
        } finally {
            // When it did not settle, the chain tells what is in force.
            this.coming = [];
            this.takeReplicas();
        }
        await this.pool.configure(next.backends);
    }

    /** From now on another secret opens the store; the old one opens nothing once all metadata replicas have answered. */
    async rotateSecret(secret: string): Promise<void> {
        this.secrets.add(secret);
        await this.reconfigure({}, sealingKey(secret, this.surroundings.random(SALT_BYTES), this.opened.sealing.log2N));
        this.caretaker.tidyAgain();
    }

    /** New data keys are wrapped with another key from now on, and all others anew, by and by. */
    async rotateWrapping(): Promise<void> {
        await this.reconfigure({ wrapping: this.config.wrapping + 1 });
    }

    nextStripeId(): StripeId {
        const serial = Buffer.alloc(4);
        serial.writeUInt32BE(this.stripeSerial++);
        return `${this.epochHex}${this.stripePrefix}${serial.toString("hex")}` as StripeId;
    }

    onBadShard(stripe: StripeId, index: number): void {
        const indexes = this.badShards.get(stripe) ?? new Set();
        this.badShards.set(stripe, indexes.add(index));
    }

    /** Lets what is under way end with an error. */
    async close(): Promise<void> {
        this.journal.close();
        await this.caretaker.stop();
        this.pool.close();
        this.replicas.close();
        this.view.close();
        await this.cache?.close();
    }

    private async nameRecord({ writer, config, sha256 }: OpenedRecord): Promise<void> {
        await this.journal.commit([{ type: "config", writer, generation: config.generation, sha256 }]);
    }

    private get epoch(): number {
        return this.journal.epoch;
    }

    private get epochHex(): string {
        return this.epoch.toString(16).padStart(8, "0");
    }
}

/** The same namespaces, by the urls that were given for them: their passwords may be newer than those in the record. */
export function withCredentials(known: readonly string[], given: readonly string[]): string[] {
    return known.map((url) => given.find((each) => identityOf(each) === identityOf(url)) ?? url);
}

function infoOf({ name, generation, sizeBytes, createdMs, removed }: Generation): ObjectInfo {
    return { name, generation, sizeBytes, createdMs, removed };
}

function checkName(name: string): void {
    const bytes = Buffer.byteLength(name);
    if (bytes === 0 || bytes > MAX_NAME_BYTES || name.includes("\0") || !name.isWellFormed())
        throw new StoreError("invalid", `a name has 1 to ${MAX_NAME_BYTES} bytes of UTF-8 without NUL, this one has ${bytes}`);
}
