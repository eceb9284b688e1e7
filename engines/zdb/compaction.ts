import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { crc32 } from "node:zlib";
import type { Disk } from "./disk.ts";
import type { LogIteration } from "./log-iteration.ts";
import { LsnMarks } from "./lsn-marks.ts";
import type { Place } from "./place.ts";
import { RECORD_HEAD_BYTES, RECORD_KINDS, type RecordHead, writeHead } from "./record.ts";
import { RecordCursor } from "./record-blocks.ts";
import { RecordMoves } from "./record-moves.ts";
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader, segmentName, unfinishedName } from "./segment-header.ts";
import type { Segment, Segments } from "./segments.ts";
import type { SidecarWriter } from "./sidecar-writer.ts";
import type { Sidecars } from "./sidecars.ts";
import { Slices } from "./slices.ts";
import { TombstoneLife } from "./tombstone-life.ts";
import type { VersionLife } from "./version-life.ts";
import { UnreadableRecord, WholeSegment } from "./whole-segment.ts";

/** Values are read, checked and written in steps of this size. */
const STEP_BYTES = 1024 * 1024;

/** What a rewriting needs to know of the namespace. */
export interface CompactionParts {
    readonly disk: Disk;
    readonly segments: Segments;
    readonly sidecars: Sidecars;
    readonly iteration: LogIteration;
    readonly lastLsn: number;
    readonly segmentBytes: number;
    isLive(key: Uint8Array, segment: Segment, offset: number): boolean;
    /** Says where a record is now; false when it is not live any more. */
    relocate(key: Uint8Array, from: Place, to: Place): boolean;
    /** Whether a property record is the last of its name. */
    isLastProperty(name: string, lsn: number): boolean;
    /** For each segment, which of the versions that were superseded are kept as history; undefined: none. */
    history(): VersionLife | undefined;
    /** Resolves once everything that was written so far is on disk. */
    commit(): Promise<void>;
    /** The namespace is closed or removed: nothing may be changed any more. */
    isOver(): boolean;
    /** After this error of a write: frees room on a full disk; false when that is not what is wrong, or there is none. */
    giveUpReserve(error: unknown): boolean;
}

/** The namespace was closed meanwhile. */
export class CompactionOver extends Error {}

/** Rewrites a run of adjacent closed segments to one file that takes their place, without what is not needed any more. */
export async function compact(parts: CompactionParts, run: readonly Segment[]): Promise<Segment> {
    const rewriting = new Rewriting(parts, run);
    try {
        await rewriting.copy();
        return await rewriting.takePlace();
    } catch (error) {
        rewriting.abandon();
        throw error;
    }
}

class Rewriting {
    private readonly parts: CompactionParts;
    private readonly run: readonly Segment[];
    private readonly header: SegmentHeader;
    private readonly moves: RecordMoves;
    private readonly tombstones: TombstoneLife;
    private readonly slices: Slices;
    private readonly file: string;
    private fd: number | undefined;
    private sidecar: SidecarWriter | undefined;
    private readonly output = Buffer.allocUnsafe(STEP_BYTES);
    private used = 0;
    private written = 0;
    private keptBytes = SEGMENT_HEADER_BYTES;
    private historyBytes = 0;
    private history: VersionLife | undefined;
    private readonly marks = new LsnMarks();
    private window = Buffer.alloc(0);
    private windowSegment = 0;
    private windowStart = 0;

    constructor(parts: CompactionParts, run: readonly Segment[]) {
        this.parts = parts;
        this.run = run;
        const { segments } = parts;
        this.header = headerOf(run, segments, parts.lastLsn, parts.segmentBytes);
        this.moves = new RecordMoves(run.map(({ id }) => id));
        this.tombstones = new TombstoneLife(run, segments.all.slice(0, segments.placeOf(this.header.firstLsn)));
        this.slices = new Slices(() => {
            if (parts.isOver()) throw new CompactionOver();
        });
        this.file = path.join(segments.directory, unfinishedName(this.header.number));
    }

    /** Writes the new file, durably, under a name that means nothing yet. */
    async copy(): Promise<void> {
        const { disk, sidecars } = this.parts;
        if (this.tombstones.followsChains) {
            for await (const { cursor } of this.records(this.run)) {
                if (cursor.kind === RECORD_KINDS.value) this.tombstones.saw(cursor.lsn, cursor.previousLsn);
            }
        }
        disk.remove(this.file);
        this.fd = disk.create(this.file);
        this.beginSidecar(sidecars);
        this.put(encodeSegmentHeader(this.header));
        for (const segment of this.run) await this.copySegment(segment);
        this.flush();
        const header = encodeSegmentHeader(this.finalHeader);
        disk.write(this.fd, header, 0, header.length, 0);
        await disk.sync(this.fd);
    }

    /** Puts the file where the run was, then everything that pointed there. */
    async takePlace(): Promise<Segment> {
        const { disk, segments, sidecars } = this.parts;
        // What was left out is superseded by records that may be in the page cache only: they must not be lost with the power alone.
        await this.parts.commit();
        if (this.parts.isOver()) throw new CompactionOver();
        for (const segment of this.run) segments.pin(segment.id);
        disk.rename(this.file, path.join(segments.directory, segmentName(this.header.number)));
        await disk.syncDirectoryLater(segments.directory);
        const segment = segments.make(this.finalHeader, this.written);
        segment.moves = this.moves;
        if (this.fd !== undefined) segments.keep(segment.id, this.fd);
        this.fd = undefined;
        segments.replace(this.run, segment);
        await this.finishSidecar(segment);
        await this.relocate(segment);
        segment.moves = undefined;
        for (const old of this.run) {
            segments.drop(old);
            sidecars.close(old.id);
            if (old.header.number === segment.header.number) continue;
            disk.remove(path.join(segments.directory, segmentName(old.header.number)));
            sidecars.remove(old.header.number);
        }
        return segment;
    }

    abandon(): void {
        const { disk } = this.parts;
        this.sidecar?.abandon();
        this.sidecar = undefined;
        if (this.fd === undefined) return;
        disk.close(this.fd);
        this.fd = undefined;
        disk.remove(this.file);
    }

    /** Only at the end is it known what had to stay, and whether all that was superseded was left out. */
    private get finalHeader(): SegmentHeader {
        const { header, keptBytes, historyBytes } = this;
        return { ...header, keptBytes, historyBytes, cleanLsn: historyBytes === 0 ? header.cleanLsn : 0 };
    }

    private async copySegment(segment: Segment): Promise<void> {
        this.history = this.parts.history();
        if (this.history) await this.judge(segment, this.history);
        for await (const { cursor } of this.records([segment])) await this.copyRecord(segment, cursor);
    }

    /** Which versions are kept is known before the first is copied. */
    private async judge(segment: Segment, history: VersionLife): Promise<void> {
        for await (const { cursor } of this.records([segment])) if (cursor.kind === RECORD_KINDS.value) history.saw(cursor);
        history.link();
        for await (const { cursor } of this.records([segment])) {
            if (cursor.kind !== RECORD_KINDS.value) continue;
            const { key } = cursor;
            history.sawAgain(key, this.parts.isLive(key, segment, cursor.offset));
        }
        history.judge();
    }

    private async *records(of: readonly Segment[]) {
        for (const segment of of) {
            const blocks = this.parts.iteration.blocksOf(segment);
            const whole = new WholeSegment(segment);
            for (let place = 0; place < blocks.count; place++) {
                for (const cursor = new RecordCursor(blocks.read(place)); !cursor.isAtEnd; cursor.step()) {
                    whole.saw(cursor);
                    yield { segment, cursor };
                    await this.slices.next();
                }
            }
            whole.ended();
        }
    }

    private async copyRecord(segment: Segment, cursor: RecordCursor): Promise<void> {
        const head = cursor.head(segment.header.salt);
        if (!head) throw new UnreadableRecord(segment, cursor.offset);
        const { key, offset } = cursor;
        switch (head.kind) {
            case RECORD_KINDS.value: {
                if (this.parts.isLive(key, segment, offset)) {
                    this.moves.add(segment.id, offset, this.written + this.used);
                    await this.copyWhole(segment, offset, head, key);
                } else if (this.history?.keeps(head.lsn)) {
                    this.historyBytes += cursor.bytes;
                    await this.copyWhole(segment, offset, head, key);
                }
                return;
            }
            case RECORD_KINDS.tombstone: {
                const version = this.tombstones.outlives(head.lsn, head.previousLsn);
                if (version === undefined) return;
                this.keptBytes += cursor.bytes;
                await this.copyWhole(segment, offset, { ...head, previousLsn: version }, key);
                return;
            }
            case RECORD_KINDS.property:
                if (!this.parts.isLastProperty(key.toString("latin1"), head.lsn)) return;
                this.keptBytes += cursor.bytes;
                await this.copyWhole(segment, offset, head, key);
                return;
            case RECORD_KINDS.mark:
                return;
        }
    }

    /** The same record with the salt of its new segment; what is before it is synced by now. The payload is checked on its way. */
    private async copyWhole(segment: Segment, offset: number, read: RecordHead, key: Buffer): Promise<void> {
        const head = { ...read, unsynced: 0 };
        const { salt } = this.header;
        this.list(head, key);
        this.marks.saw(head.lsn, this.written + this.used);
        this.makeRoom(RECORD_HEAD_BYTES + head.keyLength);
        this.used += writeHead(this.output, this.used, head, key, salt);

        let checksum = 0;
        let at = offset + RECORD_HEAD_BYTES + head.keyLength;
        for (let left = head.payloadLength; left > 0; ) {
            if (this.used === this.output.length) this.flush();
            const length = Math.min(left, this.output.length - this.used);
            const bytes = await this.read(segment, at, length);
            checksum = crc32(bytes, checksum);
            this.put(bytes);
            at += length;
            left -= length;
            await this.slices.next();
        }
        if (checksum !== head.payloadChecksum) throw new UnreadableRecord(segment, offset);
    }

    /** Without room for a sidecar the segment is rewritten all the same: it can be listed later. */
    private beginSidecar(sidecars: Sidecars): void {
        try {
            this.sidecar = sidecars.begin(this.header.number);
        } catch {
            this.sidecar = undefined;
        }
    }

    private list(head: RecordHead, key: Buffer): void {
        try {
            this.sidecar?.add(this.written + this.used, head, key, this.header.salt);
        } catch {
            this.sidecar?.abandon();
            this.sidecar = undefined;
        }
    }

    /** Bytes of a segment, from a window that is read on the thread pool. */
    private async read(segment: Segment, offset: number, length: number): Promise<Buffer> {
        const from = offset - this.windowStart;
        if (this.windowSegment !== segment.id || from < 0 || from + length > this.window.length) {
            const bytes = Buffer.allocUnsafe(Math.min(STEP_BYTES, segment.endOffset - offset));
            const { fd, giveBack } = this.parts.segments.borrow(segment.id);
            try {
                const count = await this.parts.disk.readLater(fd, bytes, 0, bytes.length, offset);
                if (count < length) throw new UnreadableRecord(segment, offset);
                this.window = bytes.subarray(0, count);
            } finally {
                giveBack();
            }
            this.windowSegment = segment.id;
            this.windowStart = offset;
            return this.window.subarray(0, length);
        }
        return this.window.subarray(from, from + length);
    }

    private put(bytes: Buffer): void {
        this.makeRoom(bytes.length);
        this.used += bytes.copy(this.output, this.used);
    }

    private makeRoom(length: number): void {
        if (this.used + length > this.output.length) this.flush();
    }

    private flush(): void {
        const { disk, giveUpReserve } = this.parts;
        if (this.used === 0 || this.fd === undefined) return;
        for (;;) {
            try {
                disk.write(this.fd, this.output, 0, this.used, this.written);
                break;
            } catch (error) {
                if (!giveUpReserve(error)) throw error;
            }
        }
        this.written += this.used;
        this.used = 0;
    }

    /** Without a sidecar the segment is read itself, by its marks. */
    private async finishSidecar(segment: Segment): Promise<void> {
        const { sidecar } = this;
        this.sidecar = undefined;
        for (const old of this.run) this.parts.sidecars.close(old.id);
        segment.marks = this.marks;
        if (!sidecar) return;
        try {
            await sidecar.finish(segment);
            segment.marks = undefined;
        } catch {
            // It is listed later.
        }
    }

    private async relocate(segment: Segment): Promise<void> {
        for await (const { cursor } of this.records([segment])) {
            const { offset, keyLength, payloadLength: length, key } = cursor;
            const origin = this.moves.origin(offset);
            if (origin) this.parts.relocate(key, { ...origin, keyLength, length }, { segment: segment.id, offset, keyLength, length });
        }
    }
}

function headerOf(run: readonly Segment[], segments: Segments, lastLsn: number, limitBytes: number): SegmentHeader {
    const [first] = run;
    const next = segments.all[segments.all.findIndex(({ id }) => id === run.at(-1)?.id) + 1];
    if (!first || !next) throw new Error("only closed segments are rewritten");
    return {
        epoch: first.header.epoch,
        number: Math.min(...run.map(({ header }) => header.number)),
        generation: 1 + Math.max(...run.map(({ header }) => header.generation)),
        firstLsn: first.header.firstLsn,
        lastLsn: next.header.firstLsn - 1,
        nextId: first.header.nextId,
        createdMs: Date.now(),
        salt: randomBytes(4).readUInt32LE(0),
        limitBytes,
        cleanLsn: lastLsn,
        keptBytes: 0,
        historyBytes: 0,
    };
}
