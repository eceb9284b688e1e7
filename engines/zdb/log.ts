import { ActiveSegment } from "./active-segment.ts";
import { acquireBatchBuffer, releaseBatchBuffer } from "./batch-buffers.ts";
import { errorCode, isNoSpace } from "./disk.ts";
import type { Durability } from "./durability.ts";
import type { Batch, Gate, GateKeeper } from "./gate.ts";
import { BATCH_BYTES, SYNC_AFTER_BYTES, SYNC_NEAR_END_BYTES } from "./limits.ts";
import { LogMending } from "./log-mending.ts";
import type { Appended, LogEnd, LogOwner, LogParts, NewRecord } from "./log-owner.ts";
import { ENCODINGS, payloadChecksum, RECORD_HEAD_BYTES, RECORD_KINDS, unixSeconds, writeHead } from "./record.ts";
import { Refusal } from "./refusal.ts";
import { newSegmentHeader } from "./segment-files.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import { Syncer } from "./syncer.ts";

export const DISK_FULL = "Cannot write data right now: the disk is full";

const EMPTY = new Uint8Array(0);

/** The append-only log of one namespace: gathers the records of a turn, writes them at once, syncs by its durability. */
export class Log implements GateKeeper {
    /** Last LSN given out, last one in the file. */
    lastLsn: number;
    writtenLsn: number;
    /** Bytes that went to files since it was opened. */
    writtenBytes = 0;
    readonly syncer: Syncer;
    readonly epoch: number;
    private readonly parts: LogParts;
    private readonly owner: LogOwner;
    private readonly segment: ActiveSegment;
    private readonly mending: LogMending;
    /** Why nothing is appended any more: it is damaged, or closed. */
    private end: string | undefined;
    private batch: Batch = { failure: undefined };
    private buffer: Buffer | undefined;
    private buffered = 0;
    private batchHoldsValues = false;
    private endsWithMark: boolean;
    private bytesSinceSync = 0;
    /** The descriptors are closed; their numbers may belong to other files by now. */
    private isClosed = false;

    constructor(parts: LogParts, owner: LogOwner, durability: Durability, end: LogEnd) {
        this.parts = parts;
        this.owner = owner;
        this.segment = new ActiveSegment(parts, end);
        this.epoch = end.segment.header.epoch;
        this.lastLsn = end.lastLsn;
        this.writtenLsn = end.lastLsn;
        this.endsWithMark = end.closedInOrder;
        this.end = end.failure;
        this.mending = new LogMending({
            timers: parts.timers,
            mend: () => this.mend(),
            broke: (reason) => owner.failed(reason),
            mended: () => owner.mended(),
        });
        this.syncer = new Syncer(
            {
                timers: parts.timers,
                sync: () => this.syncFile(),
                advanced: () => owner.acknowledged(),
                failed: (error) => this.mending.begin(`a sync of the log failed (${errorCode(error)})`),
            },
            durability,
            end.lastLsn,
        );
    }

    /** Why nothing can be appended, for ever or until the disk is well again. */
    get failure(): string | undefined {
        return this.end ?? this.mending.reason;
    }

    get activeSegment(): number {
        return this.segment.header.number;
    }

    get activeOffset(): number {
        return this.segment.endOffset + this.buffered;
    }

    /** Adds a record to the batch and says where it will be. Throws a Refusal when the log cannot take it. */
    append(record: NewRecord): Appended {
        const { kind, key, payload } = record;
        const length = RECORD_HEAD_BYTES + key.length + payload.length;
        this.makeRoom(length, kind === RECORD_KINDS.value);

        const checksum = record.checksum ?? payloadChecksum(payload);
        const lsn = this.lastLsn + 1;
        const head = {
            kind,
            encoding: record.encoding ?? ENCODINGS.clear,
            keyLength: key.length,
            payloadLength: payload.length,
            payloadChecksum: checksum,
            lsn,
            previousLsn: record.previousLsn,
            timestamp: record.timestamp,
            unsynced: lsn - 1 - this.syncer.syncedLsn,
        };
        const buffer = this.begin();
        this.segment.mark(lsn, this.activeOffset);
        const place = { segment: this.segment.id, offset: this.activeOffset, keyLength: key.length, length: payload.length };
        const at = this.buffered;
        this.buffered += writeHead(buffer, at, head, key, this.segment.header.salt);
        // Of a new key it is not known whether it will ever be overwritten.
        if (kind === RECORD_KINDS.value && record.previousLsn > 0) this.parts.segments.heads.remember(key, place, buffer, at);
        this.lastLsn = lsn;
        this.batchHoldsValues ||= kind === RECORD_KINDS.value;
        this.endsWithMark = kind === RECORD_KINDS.mark;

        if (length > BATCH_BYTES) {
            const { batch } = this;
            this.writeBatch(payload);
            if (batch.failure !== undefined) throw new Refusal(batch.failure);
        } else {
            buffer.set(payload, this.buffered);
            this.buffered += payload.length;
        }
        return { place, lsn };
    }

    /** Puts the batch into the file. How it went is in the batch: the gates of its replies see it. */
    write(): void {
        if (this.buffered > 0) this.writeBatch(EMPTY);
    }

    /** Puts the batch into the file; throws a Refusal when it did not get there. */
    writeOrRefuse(): void {
        if (this.buffered === 0) return;
        const { batch } = this;
        this.writeBatch(EMPTY);
        if (batch.failure !== undefined) throw new Refusal(batch.failure);
    }

    /** What a reply that depends on `lsn` waits for; undefined when it may go at once. */
    gate(lsn: number): Gate | undefined {
        if (lsn <= this.syncer.acknowledgedLsn) return undefined;
        return { keeper: this, batch: lsn > this.writtenLsn ? this.batch : undefined, lsn };
    }

    /** Whether a gated reply may be sent; the failure that takes its place when its write did not succeed. */
    passes(gate: Gate): boolean | { readonly failure: string } {
        if (gate.batch?.failure !== undefined) return { failure: gate.batch.failure };
        if (gate.lsn <= this.syncer.acknowledgedLsn) return true;
        return this.failure === undefined ? false : { failure: `Cannot write data right now: ${this.failure}` };
    }

    /** Resolves once everything appended so far is on disk; throws a Refusal when it is not. */
    async commit(): Promise<void> {
        this.writeOrRefuse();
        try {
            await this.syncer.request();
        } catch {
            throw new Refusal(`Cannot write data right now: ${this.failure}`);
        }
    }

    /** Resolves once all that got into the file is on disk, whatever becomes of what did not; throws what the disk throws. */
    syncWritten(): Promise<void> {
        this.write();
        return this.syncer.request();
    }

    /** Writes and syncs everything, marks the end, closes the files. Throws a Refusal when something written may not be on disk. */
    async close(): Promise<void> {
        try {
            await this.mending.now();
            if (this.failure === undefined) {
                await this.commit();
                if (!this.endsWithMark) await this.mark();
            } else if (this.syncer.syncedLsn < this.writtenLsn) throw new Refusal(`Cannot write data right now: ${this.failure}`);
        } finally {
            await this.release("the namespace is closed");
        }
    }

    /** Closes the files of a log that is being removed; what was not written is gone. */
    abandon(): Promise<void> {
        return this.release("the namespace is removed");
    }

    /** Helps the next start to know a torn tail from damage; a full disk does without. */
    private async mark(): Promise<void> {
        try {
            this.append({ kind: RECORD_KINDS.mark, key: EMPTY, payload: EMPTY, previousLsn: 0, timestamp: unixSeconds() });
            await this.commit();
        } catch (error) {
            if (!this.parts.space.refusesValues) throw error;
        }
    }

    private async release(reason: string): Promise<void> {
        this.end ??= reason;
        await Promise.all([this.mending.stop(), this.syncer.stop(), this.owner.quiesce(), this.segment.forgetNext()]);
        this.isClosed = true;
        this.write();
        this.segment.close();
    }

    /** Ends the batch or the segment when the record does not fit any more. */
    private makeRoom(length: number, isValue: boolean): void {
        if (this.failure !== undefined) throw new Refusal(`Namespace is read-only: ${this.failure}`);
        if (isValue && this.parts.space.refusesValues) throw new Refusal(DISK_FULL);
        if (this.buffered + length > BATCH_BYTES) this.writeOrRefuse();
        const used = this.activeOffset;
        if (used + length <= this.segment.header.limitBytes || used === SEGMENT_HEADER_BYTES) return;
        this.writeOrRefuse();
        this.nextSegment(isValue);
    }

    /** Ends the segment before it is full, also on a full disk: closed, it can be rewritten. Throws a Refusal. */
    jump(): void {
        if (this.failure !== undefined) throw new Refusal(`Namespace is read-only: ${this.failure}`);
        this.writeOrRefuse();
        this.nextSegment(false);
    }

    private begin(): Buffer {
        if (!this.buffer) {
            this.buffer = acquireBatchBuffer();
            this.batch = { failure: undefined };
            this.parts.segments.unwritten = this.buffer;
            this.batchHoldsValues = false;
            this.owner.batchBegun();
        }
        return this.buffer;
    }

    private writeBatch(tail: Uint8Array): void {
        const { batch, buffer } = this;
        if (!buffer) return;
        const length = this.buffered;
        this.buffer = undefined;
        this.buffered = 0;
        this.parts.segments.unwritten = undefined;
        try {
            if (this.isClosed) throw new Refusal(`Cannot write data right now: ${this.failure}`);
            this.segment.append(buffer, length, tail, this.lastLsn, this.batchHoldsValues);
        } catch (error) {
            this.dropBatch(batch, error);
            return;
        } finally {
            releaseBatchBuffer(buffer);
        }
        this.writtenLsn = this.lastLsn;
        this.bytesSinceSync += length + tail.length;
        this.writtenBytes += length + tail.length;
        this.owner.batchWritten();
        this.parts.space.wrote();
        this.syncer.written(this.writtenLsn);
        // A failure is handled by the syncer itself; here nobody waits for it.
        if (this.bytesSinceSync >= this.mostUnsyncedBytes) this.syncer.request().catch(() => undefined);
        if (this.failure === undefined && this.bytesLeft < this.segment.header.limitBytes / 2) this.segment.prepareNext();
    }

    /** Up to the end of the segment. */
    private get bytesLeft(): number {
        return this.segment.header.limitBytes - this.segment.endOffset;
    }

    /** Whoever brings about the next segment waits for what is not synced then. */
    private get mostUnsyncedBytes(): number {
        return this.bytesLeft > SYNC_AFTER_BYTES ? SYNC_AFTER_BYTES : SYNC_NEAR_END_BYTES;
    }

    private dropBatch(batch: Batch, error: unknown): void {
        this.lastLsn = this.writtenLsn;
        this.endsWithMark = false;
        this.parts.segments.heads.forget();
        this.owner.batchFailed();
        if (error instanceof Refusal) {
            batch.failure = error.message;
            return;
        }
        batch.failure = isNoSpace(error) ? DISK_FULL : `Cannot write data right now (${errorCode(error)})`;
        if (isNoSpace(error)) this.sawFull();
        else this.mending.begin(`a write to the log failed (${errorCode(error)})`);
        try {
            this.segment.takeBack();
        } catch (truncateError) {
            this.mending.begin(`a partly written record could not be taken back (${errorCode(truncateError)})`);
        }
    }

    private nextSegment(forValue: boolean): void {
        try {
            // Before the first record of the next one: a hole at the end of a closed segment would be damage.
            const startedMs = this.parts.timers.nowMs();
            this.segment.syncNow();
            this.owner.synced(this.parts.timers.nowMs() - startedMs);
            this.bytesSinceSync = 0;
            this.syncer.syncedNow();
        } catch (error) {
            this.syncer.failed(error);
            this.mending.begin(`a sync of the log failed (${errorCode(error)})`);
            throw new Refusal(`Cannot write data right now: ${this.failure}`);
        }
        const { owner, lastLsn } = this;
        const header = newSegmentHeader(this.epoch, this.activeSegment + 1, lastLsn + 1, owner.nextId(), owner.segmentBytes());
        try {
            const before = this.activeSegment;
            this.segment.begin(header, forValue);
            owner.segmentBegun(before, this.activeSegment);
        } catch (error) {
            if (isNoSpace(error)) this.sawFull();
            throw new Refusal(isNoSpace(error) ? DISK_FULL : `Cannot write data right now (${errorCode(error)})`);
        }
    }

    private sawFull(): void {
        this.parts.space.sawFull();
        this.owner.diskIsFull();
    }

    private async syncFile(): Promise<void> {
        const startedMs = this.parts.timers.nowMs();
        this.bytesSinceSync = 0;
        await this.segment.sync();
        this.owner.synced(this.parts.timers.nowMs() - startedMs);
    }

    /** Everything written goes to another file and is synced there. Nothing is appended meanwhile, because of the failure. */
    private async mend(): Promise<void> {
        this.write();
        await this.syncer.halt();
        try {
            await this.segment.renew();
        } catch (error) {
            this.syncer.goOn();
            throw error;
        }
        this.bytesSinceSync = 0;
        this.syncer.mended();
    }
}
