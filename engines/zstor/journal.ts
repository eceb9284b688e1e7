import { BackendError } from "./backend.ts";
import { type Batch, hashOf, NO_BATCH, sealBatch } from "./batch.ts";
import { reached } from "./failpoint.ts";
import {
    BATCH_BYTES,
    CONFIGURATIONS_BEHIND,
    PAGE_BYTES,
    SNAPSHOT_LEAST_BYTES,
    TAKEOVER_ATTEMPTS,
    TAKEOVER_LONGEST_PAUSE_MS,
    TAKEOVER_PAUSE_MS,
} from "./limits.ts";
import { keyOf } from "./metadata-key.ts";
import { StoreError } from "./object-api.ts";
import { Office, type OfficeParts } from "./office.ts";
import { encodeRecord, type MetadataRecord, type SnapshotRecord, type WriterId } from "./record.ts";
import { type Pages, writePages } from "./snapshot.ts";
import { jittered, pause } from "./surroundings.ts";
import { type Chain, configNamed, readChain, readSnapshot, secure } from "./takeover.ts";
import type { ConfigRecord, View } from "./view.ts";

export interface JournalParts extends OfficeParts {
    readonly view: View;
    /** Takes the store record that the chain names as the one in force; true when it names other replicas than were asked. */
    follow(named: ConfigRecord | undefined): Promise<boolean>;
    /** Bytes of batches after which a snapshot is made, at least; smaller in tests. */
    readonly snapshotBytes?: number;
}

interface Waiting {
    readonly records: readonly MetadataRecord[];
    readonly bytes: Buffer;
    readonly resolve: () => void;
    readonly reject: (error: Error) => void;
}

/** Named by the chain that is in force: what must not be deleted, and what a replica must have. */
export interface Live {
    readonly writer: WriterId;
    readonly batches: readonly Pick<Batch, "writer" | "sequence" | "hash">[];
    readonly snapshot: SnapshotRecord | undefined;
    /** Sequence of the last batch at that time; `batches` may have got more since. */
    readonly last: number;
    /** Pages of the state after that batch are being written; what begins later is of `last` or behind it. */
    readonly pagesOf: number | undefined;
}

/**
 * The chain of batches with one writer. What is committed at once goes into one batch; one batch at a time. When a batch cannot be made
 * true for certain, those who wait for it are told so, and the journal takes over anew, which finds out.
 */
export class Journal {
    private readonly parts: JournalParts;
    private readonly office: Office;
    private readonly queue: Waiting[] = [];
    private running = false;
    /** Undefined while it has to take over first. */
    private writer: WriterId | undefined;
    /** The same while a batch is on its way: what was true before it still is. */
    private writing: WriterId | undefined;
    /** It has been the writer. */
    private established = false;
    /** Behind the state of the snapshot. */
    private batches: Pick<Batch, "writer" | "sequence" | "hash">[] = [];
    private snapshot: SnapshotRecord | undefined;
    private bytes = 0;
    private snapshotSize = 0;
    /** Of the batch whose state is written as pages, until they are named or given up. */
    private pagesOf: number | undefined;
    /** Of a snapshot that is to be named, and what `bytes` was when it began. */
    private pages: { readonly written: Pages; readonly before: number; isWanted(): boolean } | undefined;
    /** Why nothing is written any more. */
    private ended: StoreError | undefined;
    /** Why the last batch could not be made true, or the journal not be taken over; undefined once one was made true since. */
    trouble: StoreError | undefined;
    /** Comes when nothing is written any more. */
    readonly ending: Promise<StoreError>;
    private tellOfEnd: (error: StoreError) => void = () => undefined;
    /** Counts the times that another writer was in between: what was begun before such a time cannot be finished. */
    session = 0;

    constructor(parts: JournalParts) {
        this.parts = parts;
        this.office = new Office(parts);
        this.ending = new Promise((resolve) => {
            this.tellOfEnd = resolve;
        });
    }

    /** Takes over from whoever wrote before. Rejects with `no-quorum`, `superseded`, `rolled-back` or `lost`. */
    async open(): Promise<void> {
        this.running = true;
        try {
            await this.takeOver();
        } finally {
            this.running = false;
        }
    }

    /** Settles when the records are true and in the view: all, or none when it rejects with `superseded` before they were tried. */
    commit(records: readonly MetadataRecord[], session = this.session): Promise<void> {
        if (this.ended) return Promise.reject(this.ended);
        if (session !== this.session) return Promise.reject(interrupted());
        return new Promise((resolve, reject) => {
            this.queue.push({ records, bytes: Buffer.concat(records.map(encodeRecord)), resolve, reject });
            if (!this.running) void this.run();
        });
    }

    /** Rejects when this is not the writer any more, or too few replicas say that it is. */
    async verify(): Promise<void> {
        if (this.ended) throw this.ended;
        if (this.writer) return this.verifyEpoch(this.writer);
        // After a batch of which nothing is known the view may lack what is true: only taking over anew tells. An empty batch does that.
        await this.commit([]);
    }

    /** Settles when it is known what became of every batch: after one of which nothing is known, what the view says was last may not be. */
    async certain(): Promise<void> {
        if (this.trouble) await this.commit([]);
    }

    /** Of the last writer that this journal was. */
    get epoch(): number {
        return this.office.epoch;
    }

    get live(): Live | undefined {
        const writer = this.writing ?? this.writer;
        const { batches, snapshot, pagesOf } = this;
        return writer && { writer, batches, snapshot, last: batches.at(-1)?.sequence ?? 0, pagesOf };
    }

    get waiting(): number {
        return this.queue.length;
    }

    /** Why this front end may not write any more. */
    get failure(): StoreError | undefined {
        return this.ended;
    }

    close(): void {
        this.end(new StoreError("stopped", "the store is closed"));
    }

    private end(error: StoreError): void {
        this.ended ??= error;
        this.pages = undefined;
        this.tellOfEnd(this.ended);
        this.writer = undefined;
        this.refuseWaiting(this.ended);
    }

    private refuseWaiting(error: Error): void {
        for (const { reject } of this.queue.splice(0)) reject(error);
    }

    private async run(): Promise<void> {
        this.running = true;
        // What else is committed in this turn comes along.
        await Promise.resolve();
        while (this.queue.length > 0 || this.pages) {
            try {
                if (this.writer === undefined && this.queue.length > 0) await this.takeOver();
                await this.next();
            } catch (error) {
                this.trouble = asStoreError(error);
                this.refuseWaiting(this.trouble);
            }
            await this.nameSnapshot();
        }
        this.running = false;
    }

    private async next(): Promise<void> {
        const batch = this.gather();
        if (batch.length === 0) return;
        try {
            await this.write(
                batch.flatMap(({ records }) => records),
                Buffer.concat(batch.map(({ bytes }) => bytes)),
            );
        } catch (error) {
            this.trouble = asStoreError(error);
            for (const { reject } of batch) reject(this.trouble);
            return;
        }
        this.trouble = undefined;
        for (const { resolve } of batch) resolve();
        if (this.bytes > Math.max(this.parts.snapshotBytes ?? SNAPSHOT_LEAST_BYTES, this.snapshotSize)) void this.beginSnapshot();
    }

    private gather(): Waiting[] {
        let bytes = 0;
        const count = this.queue.findIndex((waiting, index) => {
            bytes += waiting.bytes.length;
            return index > 0 && bytes > BATCH_BYTES;
        });
        return this.queue.splice(0, count < 0 ? this.queue.length : count);
    }

    /** Makes one batch true, or rejects and leaves the journal to take over anew. */
    private async write(records: readonly MetadataRecord[], bytes: Buffer): Promise<void> {
        const { replicas, keys, view } = this.parts;
        const { writer } = this;
        if (writer === undefined) throw this.ended ?? interrupted();
        const head = view.head;
        const sequence = (head?.sequence ?? 0) + 1;
        const value = sealBatch(keys, { writer, sequence }, head?.hash ?? NO_BATCH, bytes);
        // Whatever comes of it, nothing else is ever written at this place by this writer.
        this.writer = undefined;
        reached("journal: sealed, nowhere");
        this.writing = this.established ? writer : undefined;
        try {
            await replicas.write(keyOf({ kind: "batch", writer, sequence }), value);
            reached("journal: on a quorum, not verified");
            await this.verifyEpoch(writer);
        } finally {
            this.writing = undefined;
        }
        if (this.ended) throw this.ended;
        reached("journal: verified, not in the view");
        const hash = hashOf(value);
        view.apply(records, { sequence, hash });
        reached("journal: in the view, not acknowledged");
        this.batches.push({ writer, sequence, hash });
        this.bytes += value.length;
        this.writer = writer;
    }

    /** W replicas say that this writer is the one; a later one ends this journal. */
    private verifyEpoch(writer: WriterId): Promise<void> {
        return this.untilSuperseded(this.office.verify(writer));
    }

    private async claimed(): Promise<WriterId> {
        const writer = await this.untilSuperseded(this.office.claim());
        // It may have been closed meanwhile.
        if (this.ended) throw this.ended;
        return writer;
    }

    private async untilSuperseded<T>(work: Promise<T>): Promise<T> {
        try {
            return await work;
        } catch (error) {
            if (error instanceof StoreError && error.failure === "superseded") this.end(error);
            throw error;
        }
    }

    private async takeOver(): Promise<void> {
        const { surroundings } = this.parts;
        for (let attempt = 1; ; attempt++) {
            if (this.ended) throw this.ended;
            try {
                return await this.tryToTakeOver();
            } catch (error) {
                const failure = asStoreError(error);
                if (failure.failure !== "no-quorum" || attempt === TAKEOVER_ATTEMPTS) throw failure;
                const longest = Math.min(TAKEOVER_LONGEST_PAUSE_MS, TAKEOVER_PAUSE_MS * 2 ** attempt);
                await pause(surroundings.clock, jittered(surroundings, longest));
            }
        }
    }

    private async tryToTakeOver(): Promise<void> {
        const { replicas, surroundings } = this.parts;
        const { writer, chain } = await this.claimInForce();
        await chain.writeBack();
        await this.adopt(chain);
        const { config } = this.parts.view;
        await secure(replicas, this.snapshot, config);
        this.writer = writer;
        reached("takeover: adopted, no batch yet");
        const begin: MetadataRecord = { type: "begin", writer, timeMs: surroundings.clock.nowMs() };
        await this.write([begin], encodeRecord(begin));
        this.established = true;
    }

    /** Claims the replicas that are in force: each chain that names others leads to them, and nothing is written before they are reached. */
    private async claimInForce(): Promise<{ readonly writer: WriterId; readonly chain: Chain }> {
        const { replicas, keys } = this.parts;
        for (let step = 0; step < CONFIGURATIONS_BEHIND; step++) {
            const writer = await this.claimed();
            reached("takeover: claimed, nothing read");
            const chain = await readChain(replicas, keys);
            if (!(await this.parts.follow(await configNamed(replicas, keys, chain)))) return { writer, chain };
            if (!this.established) this.office.beginAnew();
        }
        throw new StoreError("no-quorum", `the metadata replicas in force were not reached over ${CONFIGURATIONS_BEHIND} changes of them`);
    }

    /** Brings the view to the head of the chain. */
    private async adopt({ snapshot, batches, bytes }: Chain): Promise<void> {
        const { replicas, keys, view } = this.parts;
        const known = view.head;
        const first = batches[0]?.sequence ?? 1;
        const isAtSnapshot = known !== undefined && batches[0]?.previous.equals(known.hash);
        const last = batches.at(-1)?.sequence ?? 0;
        const meeting = batches.find((batch) => batch.sequence === known?.sequence);
        if (known && (known.sequence > last || (meeting && !meeting.hash.equals(known.hash))))
            throw new StoreError(
                "rolled-back",
                `the metadata replicas have the journal to batch ${last}, this front end has seen batch ${known.sequence} of another one: they were put back to an older state`,
            );
        const isBehind = snapshot !== undefined && !isAtSnapshot && (!known || known.sequence < first);
        if (isBehind) {
            const records = await readSnapshot(replicas, keys, snapshot);
            view.restart(records);
        } else if (!known && first !== 1) throw new StoreError("lost", `the journal begins with batch ${first} and has no snapshot`);
        const from = isBehind ? first : (known?.sequence ?? 0) + 1;
        const news = batches.filter((batch) => batch.sequence >= from);
        for (const { records, sequence, hash } of news) view.apply(records, { sequence, hash });
        this.batches = batches.map(({ writer, sequence, hash }) => ({ writer, sequence, hash }));
        this.snapshot = snapshot;
        this.snapshotSize = (snapshot?.pages.length ?? 0) * PAGE_BYTES;
        this.bytes = bytes;
        if (news.some((batch) => !this.office.isOwn(batch.writer))) {
            this.session++;
            this.refuseWaiting(interrupted());
        }
    }

    /** Writes the state as it is now as pages, while others commit. What cannot be written now is written after another batch. */
    private async beginSnapshot(): Promise<void> {
        const { replicas, keys, view, surroundings } = this.parts;
        const { writer, bytes: before } = this;
        const sequence = view.head?.sequence;
        if (writer === undefined || sequence === undefined || this.pagesOf !== undefined) return;
        this.pagesOf = sequence;
        try {
            const { changes } = replicas;
            // What is given up is a left-over, which tidying deletes.
            const isWanted = () => this.ended === undefined && this.office.isCurrent(writer) && replicas.changes === changes;
            const parts = { replicas, keys, clock: surroundings.clock, writer, sequence, isWanted };
            const written = await writePages(parts, view.frozenRecords());
            if (written === undefined || !isWanted()) return;
            this.pages = { written, before, isWanted };
            if (!this.running) void this.run();
        } catch (error) {
            surroundings.log(`no snapshot of the metadata could be made: ${asStoreError(error).message}`);
        } finally {
            if (this.pages === undefined) this.pagesOf = undefined;
        }
    }

    /** Once a batch names them, the batches before their state are over. */
    private async nameSnapshot(): Promise<void> {
        const { pages } = this;
        if (pages === undefined) return;
        this.pages = undefined;
        try {
            if (pages.written.writer === this.writer && pages.isWanted()) await this.name(pages.written, pages.before);
        } catch (error) {
            this.parts.surroundings.log(`a snapshot of the metadata could not be named or followed: ${asStoreError(error).message}`);
        } finally {
            // Not before it is live: tidying would take its pages for left-overs while the batch that names them is on its way.
            this.pagesOf = undefined;
        }
    }

    private async name({ writer, sequence, hashes, bytes }: Pages, before: number): Promise<void> {
        const isBeside = this.parts.view.head?.sequence !== sequence;
        const record: SnapshotRecord = { type: isBeside ? "snapshot-beside" : "snapshot", sequence, writer, pages: hashes };
        await this.write([record], encodeRecord(record));
        reached("snapshot: named");
        this.batches = this.batches.filter((batch) => batch.sequence > sequence);
        this.snapshot = record;
        this.snapshotSize = bytes;
        this.bytes -= before;
        this.parts.view.dropLayouts();
    }
}

export function interrupted(): StoreError {
    return new StoreError("superseded", "another front end has written in between: what was begun before cannot be finished");
}

function asStoreError(error: unknown): StoreError {
    if (error instanceof StoreError) return error;
    if (error instanceof BackendError) return new StoreError("no-quorum", `a metadata replica does not answer: ${error.message}`);
    throw error;
}
