import { type Backend, BackendError, keysOf } from "./backend.ts";
import type { Engine } from "./engine.ts";
import { reached } from "./failpoint.ts";
import { MARKS_AT_ONCE } from "./limits.ts";

const EPOCH_AT = 8;
const KEY_BYTES = 28;

export interface SweepResult {
    /** Keys of this store that nothing names. */
    readonly orphans: number;
    readonly deleted: number;
    /** Backends that could not be looked through. */
    readonly unseen: readonly number[];
}

/**
 * Finds shards that nothing in the metadata names: of writes that failed, of moves whose old place did not answer. An orphan is marked when it is
 * first seen and deleted when it is seen again after the delay, if the server too says that it is that old. Keys of other stores, and of
 * epochs that are not known here, are not touched. Must not run beside a repair, which may be about to name what it has written.
 */
export class Sweeper {
    private readonly engine: Engine;
    private readonly delayMs: number;
    /** When an orphan was first seen, by backend and key. */
    private readonly marks = new Map<string, number>();

    constructor(engine: Engine, delayMs: number) {
        this.engine = engine;
        this.delayMs = delayMs;
    }

    async sweep(): Promise<SweepResult> {
        const { journal, pool, moveNumbers } = this.engine;
        // A view that is not the truth any more would call living shards orphans.
        await journal.verify();
        const unseen: number[] = [];
        let orphans = 0;
        let deleted = 0;
        for (const { config, backend } of pool.all()) {
            try {
                const found = await this.orphansOf(config.id, backend);
                orphans += found.all;
                if (found.due.length === 0) continue;
                await journal.verify();
                moveNumbers.renew();
                reached("sweep: an orphan found, none deleted");
                for (const key of found.due) {
                    await backend.delete(key);
                    this.marks.delete(markOf(config.id, key));
                    deleted++;
                    reached("sweep: an orphan deleted");
                }
            } catch (error) {
                if (!(error instanceof BackendError)) throw error;
                unseen.push(config.id);
            }
        }
        return { orphans, deleted, unseen };
    }

    private async orphansOf(id: number, backend: Backend): Promise<{ readonly all: number; readonly due: readonly Buffer[] }> {
        const { keys, journal, surroundings } = this.engine;
        const alive = this.aliveOn(id);
        const nowMs = surroundings.clock.nowMs();
        const due: Buffer[] = [];
        let all = 0;
        for await (const { key, writtenMs } of keysOf(backend)) {
            if (key.length !== KEY_BYTES || !key.subarray(0, EPOCH_AT).equals(keys.prefix)) continue;
            if (key.readUInt32BE(EPOCH_AT) > journal.epoch || alive.has(key.toString("latin1"))) continue;
            all++;
            const mark = markOf(id, key);
            const seenMs = this.marks.get(mark);
            if (seenMs === undefined) {
                if (this.marks.size < MARKS_AT_ONCE) this.marks.set(mark, nowMs);
            } else if (nowMs - seenMs >= this.delayMs && nowMs - writtenMs >= this.delayMs) due.push(key);
        }
        return { all, due };
    }

    private aliveOn(id: number): Set<string> {
        const { view, keys, unnamed, config } = this.engine;
        const alive = new Set<string>();
        const { dataShards, parityShards } = config.settings;
        for (const stripe of unnamed)
            for (let index = 0; index < dataShards + parityShards; index++) alive.add(keys.shardKey(stripe, index, 0).toString("latin1"));
        for (const { id: stripe, layout } of view.everyStripe()) {
            const { backends = [], moves = [] } = view.layout(layout) ?? {};
            for (const [index, backend] of backends.entries())
                if (backend === id) alive.add(keys.shardKey(stripe, index, moves[index] ?? 0).toString("latin1"));
        }
        return alive;
    }
}

function markOf(id: number, key: Buffer): string {
    return `${id} ${key.toString("latin1")}`;
}
