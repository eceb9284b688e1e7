import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { crc32 } from "node:zlib";
import type { Disk } from "./disk.ts";
import type { LogIteration } from "./log-iteration.ts";
import { type Place, payloadOffset } from "./place.ts";
import { payloadChecksum, RECORD_KINDS, type RecordHead } from "./record.ts";
import { RecordCursor } from "./record-blocks.ts";
import { RecordMoves } from "./record-moves.ts";
import { RewrittenSegment } from "./rewritten-segment.ts";
import type { Segment } from "./segment.ts";
import { SEGMENT_HEADER_BYTES, type SegmentHeader, segmentName, unfinishedName } from "./segment-header.ts";
import { SegmentWindow } from "./segment-window.ts";
import type { Segments } from "./segments.ts";
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
        if (this.tombstones.followsChains) for (const segment of this.run) await this.followChains(segment);
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

    private followChains(segment: Segment): Promise<void> {
        return this.visit(segment, ({ kind, lsn, previousLsn }) => {
            if (kind === RECORD_KINDS.value) this.tombstones.saw(lsn, previousLsn);
        });
    }

    private async copySegment(segment: Segment, output: RewrittenSegment): Promise<void> {
        this.history = this.parts.history();
        if (this.history) await this.judge(segment, this.history);
        await this.visit(segment, (cursor) => this.copyRecord(segment, cursor, output));
    }

    /** Which versions are kept is known before the first is copied. */
    private async judge(segment: Segment, history: VersionLife): Promise<void> {
        await this.visit(segment, (cursor) => {
            if (cursor.kind === RECORD_KINDS.value) history.saw(cursor);
        });
        history.link();
        await this.visit(segment, ({ kind, key, offset }) => {
            if (kind === RECORD_KINDS.value) history.sawAgain(key, this.parts.isLive(key, segment, offset));
        });
        history.judge();
    }

    /** All records of a segment in order. Waits only where there is something to wait for: most records are superseded and cost little else. */
    private async visit(segment: Segment, act: (cursor: RecordCursor) => void | Promise<void>): Promise<void> {
        const blocks = this.parts.iteration.blocksOf(segment);
        const whole = new WholeSegment(segment);
        for (let place = 0; place < blocks.count; place++) {
            for (const cursor = new RecordCursor(blocks.read(place)); !cursor.isAtEnd; cursor.step()) {
                whole.saw(cursor);
                const work = act(cursor);
                if (work) await work;
                const pause = this.slices.next();
                if (pause) await pause;
            }
        }
        whole.ended();
    }

    private copyRecord(segment: Segment, cursor: RecordCursor, output: RewrittenSegment): void | Promise<void> {
        const { kind, lsn, offset } = cursor;
        switch (kind) {
            case RECORD_KINDS.value:
                if (this.parts.isLive(cursor.passingKey, segment, offset)) this.moves.add(segment.id, offset, output.endOffset);
                else if (this.history?.keeps(lsn)) this.historyBytes += cursor.bytes;
                else return;
                return this.copyWhole(segment, cursor, cursor.previousLsn, output);
            case RECORD_KINDS.tombstone: {
                const version = this.tombstones.outlives(lsn, cursor.previousLsn);
                if (version === undefined) return;
                this.keptBytes += cursor.bytes;
                return this.copyWhole(segment, cursor, version, output);
            }
            case RECORD_KINDS.property:
                if (!this.parts.isLastProperty(cursor.key.toString("latin1"), lsn)) return;
                this.keptBytes += cursor.bytes;
                return this.copyWhole(segment, cursor, cursor.previousLsn, output);
        }
    }

    /** The payload is checked on its way; a small one that was read ahead needs no waiting. */
    private copyWhole(segment: Segment, cursor: RecordCursor, previousLsn: number, output: RewrittenSegment): void | Promise<void> {
        const { offset, key } = cursor;
        const head = cursor.head(segment.header.salt);
        if (!head) throw new UnreadableRecord(segment, offset);
        output.begin({ ...head, previousLsn }, key);
        const ahead = this.window.ahead(segment, payloadOffset(cursor), head.payloadLength);
        if (!ahead) return this.copyPayload(segment, offset, head, output);
        output.put(ahead);
        if (payloadChecksum(ahead) !== head.payloadChecksum) throw new UnreadableRecord(segment, offset);
    }

    private async copyPayload(segment: Segment, offset: number, head: RecordHead, output: RewrittenSegment): Promise<void> {
        let checksum = 0;
        let at = payloadOffset({ offset, keyLength: head.keyLength });
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

    private relocate(segment: Segment): Promise<void> {
        return this.visit(segment, (cursor) => {
            const { offset, keyLength, payloadLength: length } = cursor;
            const origin = this.moves.origin(offset);
            if (!origin) return;
            this.parts.relocate(cursor.passingKey, { ...origin, keyLength, length }, { segment: segment.id, offset, keyLength, length });
        });
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
