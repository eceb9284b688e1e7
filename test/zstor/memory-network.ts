import { type Backend, BackendError, type NamespaceInfo, type ScanPage } from "../../engines/zstor/backend.ts";
import type { Clock } from "../../engines/zstor/surroundings.ts";
import type { SeededRandom } from "./random.ts";

const SCAN_KEYS = 50;

/** A namespace of a server in memory, with all that can be wrong with it. */
export class MemoryNamespace {
    readonly values = new Map<string, { readonly value: Buffer; readonly writtenMs: number }>();
    /** Refuses connections. */
    isDown = false;
    /** Chance that a request is lost, that an answer is, that the connection ends in the middle of one, and that a value is read with a wrong bit or without its end. */
    loss = 0;
    replyLoss = 0;
    cuts = 0;
    corruption = 0;
    /** Longest time that a request takes each way. */
    delayMs = 5;
    limitBytes: number | undefined;
    durability: string | undefined = "commit";

    get usedBytes(): number {
        let sum = 0;
        for (const { value } of this.values.values()) sum += value.length;
        return sum;
    }
}

/** Connects urls `memory://<name>` to namespaces. Requests overtake each other, as they do over several connections. */
export class MemoryNetwork {
    readonly namespaces = new Map<string, MemoryNamespace>();
    /** Told of each write when it has been done. */
    onWrite: (url: string, key: string, value: Buffer) => void = () => undefined;
    private readonly clock: Clock;
    private readonly random: SeededRandom;

    constructor(clock: Clock, random: SeededRandom) {
        this.clock = clock;
        this.random = random;
    }

    namespace(url: string): MemoryNamespace {
        let namespace = this.namespaces.get(url);
        if (namespace === undefined) {
            namespace = new MemoryNamespace();
            this.namespaces.set(url, namespace);
        }
        return namespace;
    }

    readonly connect = (url: string): Backend => {
        const namespace = this.namespace(url);
        const call = <T>(work: () => T) => this.call(namespace, work);
        return {
            get: (key) => call(() => this.read(namespace, textOf(key))),
            set: (key, value) => {
                const kept = Buffer.from(value);
                return call(() => {
                    this.write(namespace, textOf(key), kept);
                    this.onWrite(url, textOf(key), kept);
                });
            },
            delete: (key) =>
                call(() => {
                    namespace.values.delete(textOf(key));
                }),
            scan: (cursor) => call(() => scan(namespace, cursor)),
            info: () => call(() => infoOf(namespace)),
            close: () => undefined,
        };
    };

    private call<T>(namespace: MemoryNamespace, work: () => T): Promise<T> {
        return new Promise((resolve, reject) => {
            const after = (run: () => void) => this.clock.after(this.random.below(namespace.delayMs + 1), run);
            after(() => {
                if (namespace.isDown) return reject(new BackendError("unreachable", "connection refused"));
                if (this.random.chance(namespace.loss)) return;
                let end: () => void;
                try {
                    const result = work();
                    end = () => resolve(result);
                } catch (error) {
                    end = () => reject(error);
                }
                if (this.random.chance(namespace.replyLoss)) return;
                const isCut = this.random.chance(namespace.cuts);
                after(isCut ? () => reject(new BackendError("unreachable", "the connection ended")) : end);
            });
        });
    }

    private read(namespace: MemoryNamespace, key: string): Buffer | undefined {
        const value = namespace.values.get(key)?.value;
        if (value === undefined || value.length === 0 || !this.random.chance(namespace.corruption)) return value && Buffer.from(value);
        if (this.random.chance(0.2)) return Buffer.from(value.subarray(0, this.random.below(value.length)));
        const wrong = Buffer.from(value);
        const at = this.random.below(wrong.length);
        wrong[at] = (wrong[at] ?? 0) ^ (1 << this.random.below(8));
        return wrong;
    }

    private write(namespace: MemoryNamespace, key: string, value: Buffer): void {
        const { limitBytes } = namespace;
        if (limitBytes !== undefined && namespace.usedBytes + value.length > limitBytes)
            throw new BackendError("full", "No space left on this namespace");
        namespace.values.delete(key);
        namespace.values.set(key, { value, writtenMs: this.clock.nowMs() });
    }
}

function scan(namespace: MemoryNamespace, cursor: Uint8Array | undefined): ScanPage {
    const keys = [...namespace.values.keys()].sort();
    const from = cursor === undefined ? 0 : keys.findIndex((key) => key > textOf(cursor));
    const page = from < 0 ? [] : keys.slice(from, from + SCAN_KEYS);
    const entries = page.map((key) => {
        const entry = namespace.values.get(key);
        return { key: Buffer.from(key, "latin1"), lengthBytes: entry?.value.length ?? 0, writtenMs: entry?.writtenMs ?? 0 };
    });
    const last = page.at(-1);
    return last === undefined || from + SCAN_KEYS >= keys.length ? { entries } : { entries, next: Buffer.from(last, "latin1") };
}

function infoOf(namespace: MemoryNamespace): NamespaceInfo {
    const { values, usedBytes, limitBytes, durability } = namespace;
    return {
        mode: "user",
        entries: values.size,
        usedBytes,
        diskFreeBytes: 2 ** 40,
        state: "ok",
        ...(limitBytes === undefined ? {} : { limitBytes }),
        ...(durability === undefined ? {} : { durability }),
    };
}

function textOf(key: Uint8Array): string {
    return Buffer.from(key).toString("latin1");
}
