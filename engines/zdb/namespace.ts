import * as path from "node:path";
import type { Disk } from "./disk.ts";
import { formatDurability } from "./durability.ts";
import { type KeyIndex, MapIndex, type Position } from "./key-index.ts";
import { MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES } from "./limits.ts";
import { Log } from "./log.ts";
import type { LogEnd, LogOwner } from "./log-owner.ts";
import type { RecordSource } from "./log-reader.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import { applyProperty, durabilityOf, newProperties, type Properties, type PropertyChange } from "./properties.ts";
import { PropertyLog } from "./property-log.ts";
import { payloadChecksum, RECORD_HEAD_BYTES, RECORD_KINDS, unixSeconds } from "./record.ts";
import { Refusal } from "./refusal.ts";
import type { ScannedRecord } from "./segment-scanner.ts";
import { type Segment, Segments } from "./segments.ts";
import { SequentialIds } from "./sequential-ids.ts";
import { Sidecars } from "./sidecars.ts";

const EMPTY = new Uint8Array(0);

/** What SET did: `unchanged` means that the key had this very value and nothing was written. */
export interface SetResult {
    readonly outcome: "written" | "unchanged";
    readonly key: Buffer;
    readonly lsn: number;
}

/** What one record did to one key. */
interface Change {
    readonly key: string;
    readonly before: Position | undefined;
    readonly after: Position | undefined;
}

/** One namespace: its properties, the index of its live keys, and the log that is the truth about both. */
export class Namespace implements LogOwner {
    name: string;
    directory: string;
    readonly properties: Properties;
    readonly segments: Segments;
    readonly sidecars: Sidecars;
    /** Removed, detached or closed: connections that still hold it must leave. */
    gone = false;
    /** Why clients may not come in although the namespace is there. */
    closedReason: string | undefined;
    liveBytes = 0;
    /** Live key bytes, for the size of the index. */
    keyBytes = 0;
    readErrors = 0;
    writeErrors = 0;
    lastReadErrorS = 0;
    lastWriteErrorS = 0;

    private readonly parts: NamespaceParts;
    private readonly index: KeyIndex = new MapIndex();
    private readonly propertyLog: PropertyLog;
    private readonly undo: Change[] = [];
    private readonly ids = new SequentialIds();
    private lastTombstoneLsn = 0;
    private openLog: Log | undefined;

    constructor(parts: NamespaceParts, name: string, directory: string) {
        this.parts = parts;
        this.name = name;
        this.directory = directory;
        this.segments = new Segments(parts.disk, parts.files, directory);
        this.sidecars = new Sidecars(parts.disk, parts.files, path.join(parts.indexDirectory, name));
        this.properties = newProperties("user");
        this.propertyLog = new PropertyLog(parts.seal);
    }

    /** Begins to append where reading the log ended. */
    begin(end: LogEnd): void {
        const { disk, space, timers, durability } = this.parts;
        const logParts = { disk, space, timers, segments: this.segments };
        this.openLog = new Log(logParts, this, durabilityOf(this.properties, durability), end);
    }

    moveTo(directory: string): void {
        this.directory = directory;
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
        return this.index.size;
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

    find(key: Uint8Array): Position | undefined {
        return this.index.get(indexKey(key));
    }

    /** LSN an answer about this key depends on: of its value, or of any deletion that may explain its absence. */
    dependency(position: Position | undefined): number {
        return position ? position.lsn : this.lastTombstoneLsn;
    }

    /** Where the value can be read now: a value of the running turn is put into the file first. */
    findReadable(key: Uint8Array): Position | undefined {
        const position = this.find(key);
        if (!position || position.lsn <= this.log.writtenLsn) return position;
        this.log.write();
        return this.find(key);
    }

    /** Reads a value; false when it is unreadable or damaged. */
    readInto(position: Position, target: Buffer, at: number): boolean {
        if (!this.gone && this.log.readInto(position, target, at)) return true;
        this.readErrors++;
        this.lastReadErrorS = unixSeconds();
        return false;
    }

    /** Whether the live value of a key is the record at this offset. */
    isLive(key: Uint8Array, segment: Segment, offset: number): boolean {
        const live = this.find(key);
        return live?.segment === segment.id && live.offset === offset + RECORD_HEAD_BYTES + key.length;
    }

    /** Fills `target` from a segment; false when it cannot be read. */
    readAt(segment: Segment, offset: number, target: Buffer): boolean {
        try {
            return this.parts.disk.read(this.segments.fd(segment.id), target, 0, target.length, offset) === target.length;
        } catch {
            return false;
        }
    }

    /** SET by the rules of the mode, after the checks of access. */
    set(key: Buffer, value: Buffer, timestamp: number): SetResult {
        const before = this.find(key);
        if (before && this.properties.worm) throw new Refusal("Namespace is protected by worm mode");
        const { maxsize } = this.properties;
        if (maxsize > 0 && this.liveBytes + value.length > maxsize + (before?.length ?? 0)) {
            throw new Refusal("No space left on this namespace");
        }
        if (this.properties.mode === "user") {
            if (key.length === 0) throw new Refusal("Invalid argument, key needed");
        } else if (key.length > 0 && !before) {
            throw new Refusal("Invalid key, only update authorized");
        }

        const checksum = payloadChecksum(value);
        if (before && this.isSame(before, value, checksum)) return { outcome: "unchanged", key, lsn: before.lsn };
        const stored = key.length === 0 ? this.ids.nextKey() : key;
        const after = this.log.append({
            kind: RECORD_KINDS.value,
            key: stored,
            payload: value,
            checksum,
            previousLsn: before?.lsn ?? 0,
            timestamp,
        });
        this.change({ key: indexKey(stored), before, after }, after.lsn);
        this.ids.take();
        return { outcome: "written", key: stored, lsn: after.lsn };
    }

    /** DEL of a key that exists; the LSN of its tombstone. */
    delete(key: Buffer, timestamp: number): number {
        const before = this.find(key);
        if (!before) throw new Refusal("Key not found");
        if (this.properties.worm) throw new Refusal("Cannot delete a key when namespace is in worm mode");
        const { lsn } = this.log.append({ kind: RECORD_KINDS.tombstone, key, payload: EMPTY, previousLsn: before.lsn, timestamp });
        this.lastTombstoneLsn = lsn;
        this.change({ key: indexKey(key), before, after: undefined }, lsn);
        return lsn;
    }

    /** Changes a property, durably, whatever the durability of values. */
    async setProperty(change: PropertyChange): Promise<void> {
        const lsn = this.log.lastLsn + 1;
        this.log.append(this.propertyLog.record(change, lsn));
        await this.log.commit();
        this.propertyLog.wrote(change.name, lsn);
        applyProperty(this.properties, change);
        if (change.name === "durability") this.log.syncer.setDurability(durabilityOf(this.properties, this.parts.durability));
        if (change.name === "password") this.closedReason = undefined;
    }

    /** Takes over one record while the log is read. Returns what is wrong with it, if anything. */
    replay(record: ScannedRecord, source: RecordSource): string | undefined {
        const { head, key, payloadOffset } = record;
        switch (head.kind) {
            case RECORD_KINDS.value: {
                const { payloadLength: length, payloadChecksum: checksum, lsn } = head;
                this.replayChange(indexKey(key), { segment: source.segment, offset: payloadOffset, length, checksum, lsn });
                this.ids.take();
                return undefined;
            }
            case RECORD_KINDS.tombstone:
                this.replayChange(indexKey(key), undefined);
                return undefined;
            case RECORD_KINDS.property:
                return this.replayProperty(record, source.payload(record));
            case RECORD_KINDS.mark:
                return undefined;
        }
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
        this.undo.length = 0;
    }

    batchFailed(): void {
        for (const { key, before, after } of this.undo.reverse()) {
            this.account(key, after, before);
        }
        this.undo.length = 0;
        this.ids.goBack();
        this.lastTombstoneLsn = Math.min(this.lastTombstoneLsn, this.log.lastLsn);
        this.writeErrors++;
        this.lastWriteErrorS = unixSeconds();
    }

    segmentBegun(before: number, now: number): void {
        this.parts.segmentBegun(this, before, now);
    }

    acknowledged(): void {
        this.parts.acknowledged();
    }

    failed(reason: string): void {
        this.writeErrors++;
        this.lastWriteErrorS = unixSeconds();
        this.parts.log(`namespace ${this.name} is read-only: ${reason}`);
    }

    private replayChange(key: string, after: Position | undefined): void {
        const before = this.index.get(key);
        if (before || after) this.account(key, before, after);
    }

    private replayProperty({ head, key }: ScannedRecord, payload: Buffer | undefined): string | undefined {
        const name = key.toString("latin1");
        const { problem, closed } = this.propertyLog.replay(name, head.encoding, head.lsn, payload, this.properties);
        if (name === "password") this.closedReason = closed;
        return problem;
    }

    /** Same checksum and length first, then the bytes; a stored value that cannot be read is not the same. */
    private isSame(before: Position, value: Buffer, checksum: number): boolean {
        if (before.length !== value.length || before.checksum !== checksum) return false;
        if (before.lsn > this.log.writtenLsn) this.log.writeOrRefuse();
        const stored = Buffer.allocUnsafe(before.length);
        return this.readInto(before, stored, 0) && stored.equals(value);
    }

    /** Applies a change that was just appended, and remembers it until its batch is in the file. */
    private change(change: Change, lsn: number): void {
        if (lsn > this.log.writtenLsn) this.undo.push(change);
        this.account(change.key, change.before, change.after);
    }

    private account(key: string, before: Position | undefined, after: Position | undefined): void {
        if (after) this.index.set(key, after);
        else this.index.delete(key);
        this.liveBytes += (after?.length ?? 0) - (before?.length ?? 0);
        this.keyBytes += (after ? key.length : 0) - (before ? key.length : 0);
    }
}

/** Keys are raw bytes; as index keys they are strings with a character a byte. */
const indexKey = (key: Uint8Array): string => (key as Buffer).toString("latin1");
