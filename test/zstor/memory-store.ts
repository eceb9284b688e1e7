import { galoisCodec } from "../../engines/zstor/galois-codec.ts";
import { createStore, type NewStore, openStore } from "../../engines/zstor/opening.ts";
import type { Store, StoreParts } from "../../engines/zstor/store.ts";
import type { BackendConfig, StoreSettings } from "../../engines/zstor/store-record.ts";
import { MemoryNetwork } from "./memory-network.ts";
import { SeededRandom } from "./random.ts";
import { VirtualClock } from "./virtual-clock.ts";

export const SECRET = "correct horse battery staple";
export const METADATA = ["m1", "m2", "m3", "m4"].map((name) => `memory://${name}`);

export const SETTINGS: StoreSettings = {
    dataShards: 4,
    parityShards: 2,
    redundantGroups: 0,
    redundantNodes: 0,
    minParity: 1,
    compression: true,
    keepGenerations: 1,
};

export function backendsOf(count: number, groups = count): BackendConfig[] {
    return Array.from({ length: count }, (_, index) => ({
        id: index + 2,
        url: `memory://d${index}`,
        group: `g${index % groups}`,
        disk: `d${index}`,
        weight: 1,
        state: "active",
        allowUnsafe: false,
    }));
}

/** A store over namespaces in memory, in virtual time. */
export class MemoryStore {
    readonly clock = new VirtualClock();
    readonly random: SeededRandom;
    readonly network: MemoryNetwork;
    readonly lines: string[] = [];

    constructor(seed = 1) {
        this.random = new SeededRandom(seed);
        this.network = new MemoryNetwork(this.clock, this.random);
    }

    parts(more: Partial<StoreParts> = {}): StoreParts {
        return {
            surroundings: { clock: this.clock, random: (length) => this.random.bytes(length), log: (line) => this.lines.push(line) },
            connect: this.network.connect,
            codec: galoisCodec,
            viewPath: ":memory:",
            // Scrypt at its usual cost would be all that these tests do.
            secretCost: 4,
            ...more,
        };
    }

    async create(store: Partial<NewStore> = {}): Promise<void> {
        const whole = { metadata: METADATA, writeQuorum: 3, backends: backendsOf(7), settings: SETTINGS, ...store };
        await this.clock.run(createStore(this.parts(), SECRET, whole));
    }

    open(more: Partial<StoreParts> = {}, metadata: readonly string[] = METADATA): Promise<Store> {
        return this.clock.run(openStore(this.parts(more), SECRET, metadata));
    }

    put(store: Store, name: string, content: Buffer) {
        return this.clock.run(store.put(name, piecesOf(content)));
    }

    get(store: Store, name: string, offset = 0, length = Number.MAX_SAFE_INTEGER): Promise<Buffer> {
        return this.clock.run(read(store, name, offset, length));
    }

    backend(index: number) {
        return this.network.namespace(`memory://d${index}`);
    }

    replica(index: number) {
        return this.network.namespace(METADATA[index] ?? "");
    }
}

export async function read(store: Store, name: string, offset = 0, length = Number.MAX_SAFE_INTEGER): Promise<Buffer> {
    const { bytes } = await store.get(name, { offset, length });
    const parts: Buffer[] = [];
    for await (const part of bytes) parts.push(part);
    return Buffer.concat(parts);
}

const PIECE_BYTES = 50_000;

export async function* piecesOf(content: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < content.length; at += PIECE_BYTES) yield content.subarray(at, at + PIECE_BYTES);
}
