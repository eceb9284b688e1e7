import { BackendError } from "./backend.ts";
import { openEpoch, sealEpoch } from "./epoch-record.ts";
import type { StoreKeys } from "./keys.ts";
import { EPOCH_KEY } from "./metadata-key.ts";
import { StoreError } from "./object-api.ts";
import { valueOrDamaged } from "./owner.ts";
import type { WriterId } from "./record.ts";
import type { Replicas } from "./replicas.ts";
import type { Surroundings } from "./surroundings.ts";
import { epochOf, writerId } from "./writer.ts";

export interface OfficeParts {
    readonly replicas: Replicas;
    readonly keys: StoreKeys;
    readonly storeId: Buffer;
    readonly surroundings: Surroundings;
}

/** Who writes: the epoch records of the metadata replicas, and which of their writers this front end has been. */
export class Office {
    private readonly parts: OfficeParts;
    private readonly own = new Set<WriterId>();
    /** Of the last writer that this front end was. */
    epoch = 0;

    constructor(parts: OfficeParts) {
        this.parts = parts;
    }

    isOwn(writer: WriterId): boolean {
        return this.own.has(writer);
    }

    /** It has not become another one since. */
    isCurrent(writer: WriterId): boolean {
        return epochOf(writer) === this.epoch && this.own.has(writer);
    }

    /** Forgets who it has been, as long as that was nobody: what it has read was an older set of replicas. */
    beginAnew(): void {
        this.own.clear();
        this.epoch = 0;
    }

    /** Becomes a new writer, on W replicas. Rejects with `superseded` when another front end has taken over since this one was the writer. */
    async claim(): Promise<WriterId> {
        const { replicas, keys, storeId, surroundings } = this.parts;
        const writers = await replicas.readMembers(async ({ backend }) => {
            const value = await valueOrDamaged(backend, EPOCH_KEY);
            return value && openEpoch(keys, storeId, value);
        });
        const last = [...writers.values()].reduce(
            (latest, other) => (other !== undefined && (latest ?? "") < other ? other : latest),
            undefined,
        );
        // Who has been the writer and is not any more does not take back what another one has taken.
        if (last !== undefined && this.own.size > 0 && !this.own.has(last) && epochOf(last) >= this.epoch)
            throw superseded(last, this.epoch);
        const writer = writerId((last === undefined ? 0 : epochOf(last)) + 1, surroundings.random(4));
        this.own.add(writer);
        this.epoch = epochOf(writer);
        await replicas.writeToMembers(EPOCH_KEY, sealEpoch(keys, storeId, writer));
        return writer;
    }

    /** W replicas say that this writer is the one. Rejects with `superseded` when one says that a later one is. */
    async verify(writer: WriterId): Promise<void> {
        const { replicas, keys, storeId } = this.parts;
        let later: WriterId | undefined;
        try {
            await replicas.read(async (replica) => {
                const value = await valueOrDamaged(replica.backend, EPOCH_KEY);
                const current = value && openEpoch(keys, storeId, value);
                const seen = replica.seenWriter;
                replica.seenWriter = current;
                if (current === writer) return;
                if (current === undefined || (seen !== undefined && current < seen)) replicas.noticeLoss(replica);
                if (current !== undefined && epochOf(current) >= epochOf(writer) && !this.own.has(current)) later = current;
                throw new BackendError("refused", current === undefined ? "has no epoch record" : `has epoch ${epochOf(current)}`);
            });
        } catch (error) {
            throw later === undefined ? error : superseded(later, epochOf(writer));
        }
    }
}

function superseded(by: WriterId, epoch: number): StoreError {
    return new StoreError(
        "superseded",
        `another front end has taken over with epoch ${epochOf(by)}, this one had ${epoch}; whether what was written last is there is not known`,
    );
}
