import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { crc32 } from "node:zlib";
import type { Disk } from "./disk.ts";
import type { LogIteration } from "./log-iteration.ts";
import type { Place } from "./place.ts";
import { RECORD_HEAD_BYTES, RECORD_KINDS, type RecordHead } from "./record.ts";
import { RecordCursor } from "./record-blocks.ts";
import { RecordMoves } from "./record-moves.ts";
import { RewrittenSegment } from "./rewritten-segment.ts";
import { SEGMENT_HEADER_BYTES, type SegmentHeader, segmentName, unfinishedName } from "./segment-header.ts";
import { SegmentWindow } from "./segment-window.ts";
import type { Segment, Segments } from "./segments.ts";
import type { Sidecars } from "./sidecars.ts";
import { Slices } from "./slices.ts";
import { TombstoneLife } from "./tombstone-life.ts";
import type { VersionLife } from "./version-life.ts";
import { UnreadableRecord, WholeSegment } from "./whole-segment.ts";

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
    /** That is another question now: what was left out so far may be wanted. */
    isOutdated(): boolean;
    /** Resolves once everything that was written so far is on disk. */
    commit(): Promise<void>;
    /** The namespace is closed or removed: nothing may be changed any more. */
    isOver(): boolean;
    /** After this error of a write: frees room on a full disk; false when that is not what is wrong, or there is none. */
    giveUpReserve(error: unknown): boolean;
}

/** The namespace was closed meanwhile, or keeps another history. */
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
    private readonly window: SegmentWindow;
    private output: RewrittenSegment | undefined;
    private keptBytes = SEGMENT_HEADER_BYTES;
    private historyBytes = 0;
    private history: VersionLife | undefined;

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
        this.window = new SegmentWindow(parts.disk, segments);
    }

    /** Writes the new file, durably, under a name that means nothing yet. */
    async copy(): Promise<void> {
        if (this.tombstones.followsChains) {
            for await (const { cursor } of this.records(this.run)) {
                if (cursor.kind === RECORD_KINDS.value) this.tombstones.saw(cursor.lsn, cursor.previousLsn);
            }
        }
        const output = new RewrittenSegment(this.parts, this.file, this.header);
        this.output = output;
        for (const segment of this.run) await this.copySegment(segment, output);
        if (this.parts.isOutdated()) throw new CompactionOver();
        await output.finish(this.finalHeader);
    }

    /** Puts the file where the run was, then everything that pointed there. */
    async takePlace(): Promise<Segment> {
        const { output } = this;
        const { disk, segments, sidecars } = this.parts;
        if (!output) throw new Error("nothing was copied");
        // What was left out is superseded by records that may be in the page cache only: they must not be lost with the power alone.
        await this.parts.commit();
        if (this.parts.isOver()) throw new CompactionOver();
        for (const segment of this.run) segments.pin(segment.id);
        disk.rename(this.file, path.join(segments.directory, segmentName(this.header.number)));
        await disk.syncDirectoryLater(segments.directory);
        const segment = segments.make(this.finalHeader, output.endOffset);
        segment.moves = this.moves;
        const fd = output.takeFd();
        if (fd !== undefined) segments.keep(segment.id, fd);
        segments.replace(this.run, segment);
        for (const old of this.run) sidecars.close(old.id);
        await output.finishSidecar(segment);
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
        this.output?.abandon();
    }

    /** Only at the end is it known what had to stay, and whether all that was superseded was left out. */
    private get finalHeader(): SegmentHeader {
        const { header, keptBytes, historyBytes } = this;
        return { ...header, keptBytes, historyBytes, cleanLsn: historyBytes === 0 ? header.cleanLsn : 0 };
    }

    private async copySegment(segment: Segment, output: RewrittenSegment): Promise<void> {
        this.history = this.parts.history();
        if (this.history) await this.judge(segment, this.history);
        for await (const { cursor } of this.records([segment])) await this.copyRecord(segment, cursor, output);
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

    private async copyRecord(segment: Segment, cursor: RecordCursor, output: RewrittenSegment): Promise<void> {
        const copyWhole = (head: RecordHead): Promise<void> => this.copyWhole(segment, cursor.offset, head, cursor.key, output);
        const head = cursor.head(segment.header.salt);
        if (!head) throw new UnreadableRecord(segment, cursor.offset);
        const { key, offset } = cursor;
        switch (head.kind) {
            case RECORD_KINDS.value: {
                if (this.parts.isLive(key, segment, offset)) {
                    this.moves.add(segment.id, offset, output.endOffset);
                    await copyWhole(head);
                } else if (this.history?.keeps(head.lsn)) {
                    this.historyBytes += cursor.bytes;
                    await copyWhole(head);
                }
                return;
            }
            case RECORD_KINDS.tombstone: {
                const version = this.tombstones.outlives(head.lsn, head.previousLsn);
                if (version === undefined) return;
                this.keptBytes += cursor.bytes;
                await copyWhole({ ...head, previousLsn: version });
                return;
            }
            case RECORD_KINDS.property:
                if (!this.parts.isLastProperty(key.toString("latin1"), head.lsn)) return;
                this.keptBytes += cursor.bytes;
                await copyWhole(head);
                return;
            case RECORD_KINDS.mark:
                return;
        }
    }

    /** The payload is checked on its way. */
    private async copyWhole(segment: Segment, offset: number, head: RecordHead, key: Buffer, output: RewrittenSegment): Promise<void> {
        output.begin(head, key);
        let checksum = 0;
        let at = offset + RECORD_HEAD_BYTES + head.keyLength;
        for (let left = head.payloadLength; left > 0; ) {
            const length = Math.min(left, output.room);
            const bytes = await this.window.read(segment, at, length);
            checksum = crc32(bytes, checksum);
            output.put(bytes);
            at += length;
            left -= length;
            await this.slices.next();
        }
        if (checksum !== head.payloadChecksum) throw new UnreadableRecord(segment, offset);
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
