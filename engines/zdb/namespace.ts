import * as path from "node:path";
import type { CheckpointHeader, PageImage } from "./checkpoint.ts";
import type { CheckpointParts } from "./checkpoint-writer.ts";
import { Cold } from "./cold-reads.ts";
import type { Disk } from "./disk.ts";
import { formatDurability } from "./durability.ts";
import { MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES } from "./limits.ts";
import { LiveKeys } from "./live-keys.ts";
import { Log } from "./log.ts";
import type { LogEnd, LogOwner, NewRecord } from "./log-owner.ts";
import { NamespaceCheckpoint } from "./namespace-checkpoint.ts";
import { NamespaceMeasures } from "./namespace-measures.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import { NamespaceUpkeep } from "./namespace-upkeep.ts";
import { type LiveRecord, type Place, payloadOffset } from "./place.ts";
import { applyProperty, durabilityOf, newProperties, type Properties, type PropertyChange } from "./properties.ts";
import { PropertyLog } from "./property-log.ts";
import { payloadChecksum, RECORD_KINDS, type RecordHead } from "./record.ts";
import { readPayload, Unreadable } from "./record-reader.ts";
import { Refusal } from "./refusal.ts";
import type { Segment } from "./segment.ts";
import type { ScannedRecord } from "./segment-scanner.ts";
import { Segments } from "./segments.ts";
import { idOfKey, SequentialIds } from "./sequential-ids.ts";
import { Sidecars } from "./sidecars.ts";
import type { RecordSource } from "./stored-segment.ts";

const EMPTY = new Uint8Array(0);
const UNREADABLE = "Internal Error";

/** What SET did: `unchanged` means that the key had this very value and nothing was written. */
export interface SetResult {
    readonly outcome: "written" | "unchanged";
    readonly key: Buffer;
    readonly lsn: number;
}

/**
 * What is known of the index when a record is replayed: it holds the record already; it may hold it, or a later one, or its records are
 * not complete, so that nothing is believed that was not read; or it is exactly as it was when the record was written.
 */
export type Knowledge = "held" | "vague" | "exact";

/** One namespace: its properties, its live keys, and the log that is the truth about both. */
export class Namespace implements LogOwner {
    name: string;
    readonly properties: Properties;
    readonly segments: Segments;
    readonly sidecars: Sidecars;
    readonly keys: LiveKeys;
    readonly upkeep: NamespaceUpkeep;
    readonly checkpoint: NamespaceCheckpoint;
    readonly measures = new NamespaceMeasures();
    /** Removed, detached or closed: connections that still hold it must leave. */
    gone = false;
    /** It is closed and opened anew; its clients wait until this resolves, and are in the new one then. */
    renewal: Promise<void> | undefined;
    /** Why clients may not come in although the namespace is there. */
    closedReason: string | undefined;
    /** When the last scrub through it ended (Unix milliseconds; undefined: none has), and how many damaged records were found. */
    scrubbed: { readonly endedMs: number | undefined; readonly damaged: number } = { endedMs: undefined, damaged: 0 };

    private readonly parts: NamespaceParts;
    private readonly propertyLog: PropertyLog;
    private readonly ids = new SequentialIds();
    private lastTombstoneLsn = 0;
    private openLog: Log | undefined;

    constructor(parts: NamespaceParts, name: string, directory: string) {
        this.parts = parts;
        this.name = name;
        this.segments = new Segments(parts.disk, parts.files, directory);
        this.segments.recall = (file) => parts.missing(this, file);
        this.sidecars = new Sidecars(parts.disk, parts.files, path.join(parts.indexDirectory, name));
        this.keys = new LiveKeys(this.segments, "user");
        this.upkeep = new NamespaceUpkeep(this, parts.disk, parts.space, parts.upkeep);
        this.checkpoint = new NamespaceCheckpoint(this, parts.checkpointBytes);
        this.properties = newProperties("user");
        this.propertyLog = new PropertyLog(parts.seal);
    }

    /** Begins to append where reading the log ended. */
    begin(end: LogEnd): void {
        const { disk, space, timers, durability } = this.parts;
        const logParts = { disk, space, timers, segments: this.segments };
        this.openLog = new Log(logParts, this, durabilityOf(this.properties, durability), end);
        this.upkeep.begin();
    }

    get directory(): string {
        return this.segments.directory;
    }

    moveTo(directory: string): void {
        this.segments.directory = directory;
    }

    get log(): Log {
        if (!this.openLog) throw new Error(`namespace ${this.name} is used before it was begun`);
        return this.openLog;
    }

    get disk(): Disk {
        return this.parts.disk;
    }

    get entries(): number {
        return this.keys.size;
    }

    /** Of payloads: what `maxsize` limits. */
    get liveBytes(): number {
        return this.keys.liveBytes;
    }

    /** A value was written at some time, so the mode cannot change any more. */
    get wasUsed(): boolean {
        return this.ids.next > 0 || this.log.activeSegment > 0;
    }

    get durabilityText(): string {
        return formatDurability(durabilityOf(this.properties, this.parts.durability));
    }

    /** What keeps the namespace from full service. */
    get disturbance(): string | undefined {
        const closed = this.closedReason === undefined ? [] : [`closed (${this.closedReason})`];
        const readOnly = this.log.failure === undefined ? [] : [`read-only (${this.log.failure})`];
        return [...closed, ...readOnly].join(", ") || undefined;
    }

    /**
     * The live value of a key, whose bytes nobody changes any more, as its record in the log has it; `whole` when the payload is going to be
     * read next. Throws a Refusal when it cannot be read, and Cold.
     */
    find(key: Uint8Array, whole = false): LiveRecord | undefined {
        try {
            const record = this.keys.find(key, whole);
            this.keys.keeps(key);
            return record;
        } catch (error) {
            if (!(error instanceof Unreadable)) throw error;
            this.measures.sawReadError();
            throw new Refusal(UNREADABLE);
        }
    }

    /** LSN an answer about this key depends on: of its value, or of any deletion that may explain its absence. */
    dependency(record: LiveRecord | undefined): number {
        return record ? record.head.lsn : this.lastTombstoneLsn;
    }

    /** Reads a value; false when it is unreadable or damaged. Throws Cold. */
    readInto(record: LiveRecord, target: Buffer, at: number): boolean {
        if (!this.gone && readPayload(this.segments, record, target, at)) return true;
        this.measures.sawReadError();
        return false;
    }

    /** A value that was fetched for the command at hand, whole and sound; nobody changes it any more. */
    fetchedValue({ place, head }: LiveRecord): Buffer | undefined {
        const fetched = this.segments.fetched(place.segment, payloadOffset(place), place.length);
        return !this.gone && fetched?.checksum === head.payloadChecksum ? fetched.bytes : undefined;
    }

    /** What is written from now on goes to another segment. Throws a Refusal when that cannot be. */
    nextSegment(): void {
        this.log.jump();
    }

    /** Whether the live value of a key is the record at this offset. */
    isLive(key: Uint8Array, segment: Segment, offset: number): boolean {
        this.settle();
        return this.keys.isLive(key, segment, offset);
    }

    /** Says where the value of a key is now that its record was copied; false when it is not live there any more. */
    relocate(key: Uint8Array, from: Place, to: Place): boolean {
        this.settle();
        return this.keys.relocate(key, from, to);
    }

    /** Fills `target` from a segment; false when it cannot be read. Throws Cold. */
    readAt(segment: Segment, offset: number, target: Buffer): boolean {
        try {
            return this.segments.read(segment.id, offset, target, 0, target.length);
        } catch (error) {
            if (error instanceof Cold) throw error;
            return false;
        }
    }

    /** SET by the rules of the mode, after the checks of access. */
    set(key: Buffer, value: Buffer, timestamp: number): SetResult {
        const before = this.find(key);
        if (before && this.properties.worm) throw new Refusal("Namespace is protected by worm mode", { lsn: before.head.lsn });
        const { maxsize } = this.properties;
        if (maxsize > 0 && this.liveBytes + value.length > maxsize + (before?.place.length ?? 0)) {
            throw new Refusal("No space left on this namespace", { lsn: this.log.lastLsn });
        }
        if (this.properties.mode === "user") {
            if (key.length === 0) throw new Refusal("Invalid argument, key needed");
        } else if (key.length > 0 && !before) {
            throw new Refusal("Invalid key, only update authorized", { lsn: this.lastTombstoneLsn });
        }

        const checksum = payloadChecksum(value);
        if (before && this.isSame(before, value, checksum)) return { outcome: "unchanged", key, lsn: before.head.lsn };
        const stored = key.length === 0 ? this.ids.nextKey() : key;
        const lsn = this.write({ key: stored, payload: value, checksum, timestamp }, before);
        return { outcome: "written", key: stored, lsn };
    }

    /** Writes a value without asking whether that is allowed or needed. The LSN of its record. */
    write(value: Pick<NewRecord, "key" | "payload" | "checksum" | "timestamp">, before: LiveRecord | undefined): number {
        const { key, payload, checksum, timestamp } = value;
        // Field by field: spreading `value` is seen in the profile of SET.
        const record = { kind: RECORD_KINDS.value, key, payload, checksum, timestamp, previousLsn: before?.head.lsn ?? 0 };
        const { place, lsn } = this.log.append(record);
        this.change(key, before?.place, place, lsn);
        this.ids.take();
        return lsn;
    }

    /** DEL of a key that exists; the LSN of its tombstone. */
    delete(key: Buffer, timestamp: number): number {
        const before = this.find(key);
        if (!before) throw new Refusal("Key not found", { lsn: this.lastTombstoneLsn });
        if (this.properties.worm) throw new Refusal("Cannot delete a key when namespace is in worm mode", { lsn: before.head.lsn });
        const { lsn } = this.log.append({ kind: RECORD_KINDS.tombstone, key, payload: EMPTY, previousLsn: before.head.lsn, timestamp });
        this.lastTombstoneLsn = lsn;
        this.change(key, before.place, undefined, lsn);
        return lsn;
    }

    setProperty(change: PropertyChange): Promise<void> {
        return this.setProperties([change]);
    }

    /** Changes properties, durably, whatever the durability of values: one sync serves all. Of two changes of one the last counts. */
    async setProperties(all: readonly PropertyChange[]): Promise<void> {
        const changes = [...new Map(all.map((change) => [change.name, change])).values()];
        if (changes.length === 0) return;
        const lsns = changes.map((change) => {
            const lsn = this.log.lastLsn + 1;
            this.log.append(this.propertyLog.record(change, lsn));
            return lsn;
        });
        this.log.writeOrRefuse();
        // A checkpoint that is made while this waits for the disk must name the records.
        for (const [index, { name }] of changes.entries()) this.propertyLog.wrote(name, lsns[index] ?? 0);
        await this.log.commit();
        for (const change of changes) this.apply(change);
    }

    private apply(change: PropertyChange): void {
        applyProperty(this.properties, change);
        if (change.name === "mode") this.keys.setMode(this.properties.mode);
        if (change.name === "durability") this.log.syncer.setDurability(durabilityOf(this.properties, this.parts.durability));
        if (change.name === "password") this.closedReason = undefined;
        if (change.name === "history") this.upkeep.retentionChanged();
    }

    /** Takes over one record while the log is read. Returns what is wrong with it, if anything. */
    replay(record: ScannedRecord, source: RecordSource, knowledge: Knowledge): string | undefined {
        const { head, key, offset } = record;
        switch (head.kind) {
            case RECORD_KINDS.value: {
                this.ids.take();
                if (knowledge === "held") return undefined;
                if (this.properties.mode === "seq" && idOfKey(key) === undefined) return "a key is no sequential id";
                const place = { segment: source.segment, offset, keyLength: head.keyLength, length: head.payloadLength };
                const isNew = head.previousLsn === 0 && knowledge === "exact";
                this.keys.account(key, isNew ? undefined : this.keys.find(key)?.place, place);
                return undefined;
            }
            case RECORD_KINDS.tombstone:
                if (knowledge !== "held") this.keys.account(key, this.keys.find(key)?.place, undefined);
                return undefined;
            case RECORD_KINDS.property:
                return this.replayProperty(record, source.payload(record));
            case RECORD_KINDS.mark:
                return undefined;
        }
    }

    isLastProperty(name: string, lsn: number): boolean {
        return this.propertyLog.isLast(name, lsn);
    }

    /** Nothing works on the files in the background any more. */
    async quiesce(): Promise<void> {
        await this.upkeep.stop();
        this.sidecars.closeAll();
    }

    diskIsFull(): void {
        this.upkeep.sawFull();
    }

    /** Rewritten segments lost records that had taken an id: their header says how many there were. */
    raiseNextId(nextId: number): void {
        this.ids.raise(nextId);
    }

    nextId(): number {
        return this.ids.next;
    }

    segmentBytes(): number {
        if (this.parts.segmentBytes !== undefined) return this.parts.segmentBytes;
        const { maxsize } = this.properties;
        return maxsize === 0 ? MAX_SEGMENT_BYTES : Math.min(Math.max(Math.ceil(maxsize / 16), MIN_SEGMENT_BYTES), MAX_SEGMENT_BYTES);
    }

    batchBegun(): void {
        this.ids.remember();
    }

    batchWritten(): void {
        this.keys.batchWritten();
        this.upkeep.wrote();
    }

    batchFailed(): void {
        this.keys.batchFailed();
        this.ids.goBack();
        this.lastTombstoneLsn = Math.min(this.lastTombstoneLsn, this.log.lastLsn);
        this.measures.sawWriteError();
    }

    segmentBegun(before: number, now: number): void {
        this.parts.segmentBegun(this, before, now);
        this.upkeep.closedOne();
    }

    acknowledged(): void {
        this.measures.acknowledged(this.log.syncer.acknowledgedLsn, this.parts.timers.nowMs());
        this.parts.acknowledged();
    }

    synced(ms: number): void {
        this.measures.syncLatency.add(ms);
    }

    failed(reason: string): void {
        this.measures.sawWriteError();
        this.parts.log(`namespace ${this.name} is read-only: ${reason}`);
    }

    mended(): void {
        this.parts.log(`namespace ${this.name} is writable again: what was not synced was written to another file`);
        this.upkeep.resume();
    }

    checkpointParts(): CheckpointParts {
        const { disk } = this.parts;
        const { directory } = this.sidecars;
        return {
            disk,
            directory,
            log: this.log,
            segments: this.segments,
            index: this.keys.index,
            propertyLsns: () => this.propertyLog.lastLsns,
        };
    }

    /** Takes over the index of a checkpoint whose segments are known; false when it does not fit. Throws an UnusableCheckpoint. */
    async restore(header: CheckpointHeader, pages: (restore: (page: PageImage) => void) => Promise<void>): Promise<boolean> {
        this.properties.mode = header.mode;
        return this.keys.restore(header, pages);
    }

    /** LSN of the last record of a property, as far as the log was read. */
    propertyWasRead(name: string, lsn: number): boolean {
        return this.propertyLog.wasRead(name, lsn);
    }

    /** The head of the live record of a key. Throws an Unreadable. */
    newest(key: Uint8Array): RecordHead | undefined {
        this.settle();
        return this.keys.find(key)?.head;
    }

    /** Takes over a property while the log is read; the payload is undefined when it is not what was written. */
    replayProperty({ head, key }: Pick<ScannedRecord, "head" | "key">, payload: Buffer | undefined): string | undefined {
        const name = key.toString("latin1");
        const { mode } = this.properties;
        const { problem, closed } = this.propertyLog.replay(name, head.encoding, head.lsn, payload, this.properties);
        if (this.properties.mode !== mode) {
            if (this.keys.size > 0) return "its mode changed after it was used";
            this.keys.setMode(this.properties.mode);
        }
        if (name === "password") this.closedReason = closed;
        return problem;
    }

    /** A batch that fails brings back what it superseded, so nothing is judged before it is in the file. */
    private settle(): void {
        if (this.keys.mayGoBack) this.log.write();
    }

    /** Same checksum and length first, then the bytes; a stored value that cannot be read is not the same. */
    private isSame(before: LiveRecord, value: Buffer, checksum: number): boolean {
        if (before.place.length !== value.length || before.head.payloadChecksum !== checksum) return false;
        const stored = Buffer.allocUnsafe(value.length);
        return this.readInto(before, stored, 0) && stored.equals(value);
    }

    /** Applies a change that was just appended, and may be taken back until its batch is in the file. */
    private change(key: Uint8Array, before: Place | undefined, after: Place | undefined, lsn: number): void {
        if (lsn > this.log.writtenLsn) this.keys.change(key, before, after);
        else this.keys.account(key, before, after);
    }
}
