import type { Backend } from "../../engines/zstor/backend.ts";
import { galoisCodec } from "../../engines/zstor/galois-codec.ts";
import type { Store, StoreParts } from "../../engines/zstor/store.ts";
import type { Clock } from "../../engines/zstor/surroundings.ts";
import { wasmCodec } from "../../engines/zstor/wasm-codec.ts";
import type { MemoryFiles } from "./memory-files.ts";
import type { MemoryStore } from "./memory-store.ts";

export const DEAD_AFTER_MS = 30_000;
export const SCRUB_MS = 60_000;
const SWEEP_DELAY_MS = 20_000;
const REPACK_AFTER_MS = 3_000;
const CACHE_BYTES = 3 * 1024 * 1024;

interface MortalParts {
    readonly snapshotBytes: number;
    /** Of its own disk, when it is to remember anything. */
    readonly viewPath?: string;
    readonly cache: MemoryFiles;
}

/** A front end that does all that it does much sooner than a real one. */
export function openMortal(
    mortal: Mortal,
    memory: MemoryStore,
    metadata: readonly string[],
    { snapshotBytes, viewPath = ":memory:", cache }: MortalParts,
): Promise<Store> {
    return memory.open(
        {
            ...mortal.parts(memory.parts()),
            snapshotBytes,
            viewPath,
            deadAfterMs: DEAD_AFTER_MS,
            scrubMs: SCRUB_MS,
            sweepDelayMs: SWEEP_DELAY_MS,
            repackAfterMs: REPACK_AFTER_MS,
            cache: { files: cache, sizeBytes: CACHE_BYTES },
            codec: wasmCodec() ?? galoisCodec,
        },
        metadata,
    );
}

/** What a front end has of the world until it is killed: then no request of it goes out, no answer comes in and no time passes for it. */
export class Mortal {
    isAlive = true;

    parts({ connect, surroundings }: StoreParts): Pick<StoreParts, "connect" | "surroundings"> {
        return {
            connect: (url) => this.backend(connect(url)),
            surroundings: { ...surroundings, clock: this.clock(surroundings.clock) },
        };
    }

    private clock(clock: Clock): Clock {
        return {
            nowMs: () => clock.nowMs(),
            steadyMs: () => clock.steadyMs(),
            after: (ms, run) =>
                clock.after(ms, () => {
                    if (this.isAlive) run();
                }),
        };
    }

    private backend(backend: Backend): Backend {
        return {
            get: (key) => this.call(() => backend.get(key)),
            set: (key, value) => this.call(() => backend.set(key, value)),
            delete: (key) => this.call(() => backend.delete(key)),
            scan: (cursor) => this.call(() => backend.scan(cursor)),
            info: () => this.call(() => backend.info()),
            close: () => backend.close(),
        };
    }

    private call<T>(request: () => Promise<T>): Promise<T> {
        if (!this.isAlive) return new Promise(() => undefined);
        return new Promise((resolve, reject) => {
            request().then(
                (answer) => {
                    if (this.isAlive) resolve(answer);
                },
                (error: unknown) => {
                    if (this.isAlive) reject(error);
                },
            );
        });
    }
}
