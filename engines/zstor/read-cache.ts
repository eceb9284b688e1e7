import type { CacheFiles } from "./cache-files.ts";
import { ENTRY_HEAD_BYTES, headOf, nameOfSegment, parseHead, segmentBytes, serialOf } from "./cache-segments.ts";
import { CACHE_BACKLOG_BYTES, CACHE_ENTRIES, CACHE_PAUSE_MS, CACHE_WRITE_BYTES } from "./limits.ts";
import type { Surroundings } from "./surroundings.ts";

/** Places are a number: that of the segment and where in it. */
const SEGMENT_SPAN = 2 ** 30;
const MOST_SEGMENTS = 2 ** 22;

interface Segment {
    bytes: number;
}

interface Entry {
    readonly key: Buffer;
    readonly bytes: Buffer;
}

/**
 * Chunks that were read, sealed as they are, in a directory of the front end. Keys are opaque and a chunk never changes, so nothing is ever brought up to date; whoever
 * opens a chunk knows whether it is the right one, so nothing is synced, and whatever is found torn, wrong or gone is a miss. It is a log of segments: written at one
 * end, dropped at the other, and what is read again shortly before it would be dropped is written anew. What goes wrong with its disk pauses it and nothing else.
 */
export class ReadCache {
    private readonly files: CacheFiles;
    private readonly surroundings: Surroundings;
    readonly sizeBytes: number;
    /** Oldest first. */
    private readonly segments = new Map<number, Segment>();
    private readonly index = new Map<number, number>();
    private queue: Entry[] = [];
    private queuedBytes = 0;
    private working: Promise<void> | undefined;
    private opening: Promise<void> | undefined;
    private isOpen = false;
    private closed = false;
    /** The segment that is written to. */
    private current: number | undefined;
    private pausedUntilMs = 0;
    /** Why nothing is kept now. */
    trouble: string | undefined;
    /** As one whose disk came after the front end, and that it does not see. */
    isLost = false;
    hits = 0;
    misses = 0;
    hitBytes = 0;
    /** What was not as it was written. */
    wrong = 0;

    constructor(files: CacheFiles, sizeBytes: number, surroundings: Surroundings) {
        this.files = files;
        this.sizeBytes = sizeBytes;
        this.surroundings = surroundings;
    }

    get usedBytes(): number {
        return [...this.segments.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    }

    /** Finds what is there from before. Never rejects. */
    open(): Promise<void> {
        this.opening ??= this.tryToOpen().finally(() => {
            this.opening = undefined;
        });
        return this.opening;
    }

    /** Undefined when it is not there. The caller says with `drop` when the bytes are not the right ones. */
    async get(key: Buffer, length: number): Promise<Buffer | undefined> {
        if (!this.isOpen) {
            this.reopen();
            return this.missed();
        }
        const place = this.index.get(numberOf(key));
        if (place === undefined) return this.missed();
        const serial = Math.floor(place / SEGMENT_SPAN);
        try {
            const found = await this.files.read(nameOfSegment(serial), place % SEGMENT_SPAN, ENTRY_HEAD_BYTES + length);
            const head = parseHead(found);
            if (head?.length === length && head.key.equals(key) && found.length === ENTRY_HEAD_BYTES + length) {
                const bytes = found.subarray(ENTRY_HEAD_BYTES);
                this.hits++;
                if (this.surroundings.clock.nowMs() >= this.pausedUntilMs) this.well();
                this.hitBytes += length;
                if (this.isAboutToGo(serial)) this.enqueue({ key, bytes });
                return bytes;
            }
            // Dropped in between.
            if (this.segments.has(serial)) this.drop(key);
        } catch (error) {
            this.pause(error);
        }
        return this.missed();
    }

    /** Keeps it, when there is time and room for that. */
    put(key: Buffer, bytes: Buffer): void {
        if (!this.isOpen) this.reopen();
        else if (!this.index.has(numberOf(key))) this.enqueue({ key, bytes });
    }

    /** It was not what it should have been. */
    drop(key: Buffer): void {
        this.wrong++;
        this.index.delete(numberOf(key));
    }

    /** Settles when what was to be kept is kept. */
    async settled(): Promise<void> {
        await this.opening;
        await this.working;
    }

    async close(): Promise<void> {
        this.closed = true;
        this.clearQueue();
        await this.settled();
        await this.files.close();
    }

    private missed(): undefined {
        this.misses++;
        return undefined;
    }

    private reopen(): void {
        if (!this.closed && this.surroundings.clock.nowMs() >= this.pausedUntilMs) void this.open();
    }

    private async tryToOpen(): Promise<void> {
        try {
            await this.working;
            const found = [...(await this.files.list())].map(([name, bytes]) => ({ bytes, serial: serialOf(name) }));
            this.segments.clear();
            this.index.clear();
            this.current = undefined;
            for (const { serial, bytes } of found.sort((a, b) => (a.serial ?? 0) - (b.serial ?? 0)))
                if (serial !== undefined) this.segments.set(serial, { bytes });
            await this.makeRoom(0);
            this.isOpen = true;
            this.well();
            // The newest first: what is in two of them is the same, or the newer one is right.
            for (const serial of [...this.segments.keys()].reverse()) await this.load(serial);
        } catch (error) {
            this.isOpen = false;
            this.pause(error);
        }
    }

    /** Notes what is in a segment, up to where it is torn. */
    private async load(serial: number): Promise<void> {
        const bytes = this.segments.get(serial)?.bytes ?? 0;
        for (let at = 0; at + ENTRY_HEAD_BYTES < bytes && !this.closed && this.index.size < CACHE_ENTRIES; ) {
            const head = parseHead(await this.files.read(nameOfSegment(serial), at, ENTRY_HEAD_BYTES));
            if (head === undefined || !this.segments.has(serial)) return;
            const number = numberOf(head.key);
            if (!this.index.has(number) && at + ENTRY_HEAD_BYTES + head.length <= bytes) this.index.set(number, serial * SEGMENT_SPAN + at);
            at += ENTRY_HEAD_BYTES + head.length;
        }
    }

    private isAboutToGo(serial: number): boolean {
        const [oldest = serial] = this.segments.keys();
        return this.usedBytes > this.sizeBytes / 2 && serial - oldest < this.segments.size / 4 && serial !== this.current;
    }

    private enqueue(entry: Entry): void {
        const length = ENTRY_HEAD_BYTES + entry.bytes.length;
        if (this.closed || this.queuedBytes + length > CACHE_BACKLOG_BYTES || length > segmentBytes(this.sizeBytes)) return;
        if (this.surroundings.clock.nowMs() < this.pausedUntilMs) return;
        this.queue.push(entry);
        this.queuedBytes += length;
        this.working ??= this.work().finally(() => {
            this.working = undefined;
        });
    }

    private async work(): Promise<void> {
        // What else comes in this turn comes along.
        await Promise.resolve();
        try {
            while (this.queue.length > 0) await this.append(this.gather());
        } catch (error) {
            // Where the segment ends is not known any more.
            this.current = undefined;
            this.clearQueue();
            this.pause(error);
        }
    }

    private gather(): Entry[] {
        let bytes = 0;
        const end = this.queue.findIndex((entry, index) => {
            bytes += ENTRY_HEAD_BYTES + entry.bytes.length;
            return index > 0 && bytes > CACHE_WRITE_BYTES;
        });
        return this.queue.splice(0, end < 0 ? this.queue.length : end);
    }

    private async append(entries: readonly Entry[]): Promise<void> {
        const parts = entries.flatMap(({ key, bytes }) => [headOf(key, bytes.length), bytes]);
        const all = Buffer.concat(parts);
        this.queuedBytes -= all.length;
        const { serial, segment } = await this.segmentFor(all.length);
        const begin = segment.bytes;
        // Counted before it is written: also a part of it takes room.
        segment.bytes += all.length;
        await this.files.append(nameOfSegment(serial), all);
        this.well();
        let at = begin;
        for (const { key, bytes } of entries) {
            this.index.set(numberOf(key), serial * SEGMENT_SPAN + at);
            at += ENTRY_HEAD_BYTES + bytes.length;
        }
    }

    private async segmentFor(bytes: number): Promise<{ readonly serial: number; readonly segment: Segment }> {
        await this.makeRoom(bytes);
        const known = this.current === undefined ? undefined : this.segments.get(this.current);
        if (this.current !== undefined && known && known.bytes + bytes <= segmentBytes(this.sizeBytes))
            return { serial: this.current, segment: known };
        const newest = [...this.segments.keys()].at(-1) ?? -1;
        if (newest + 1 >= MOST_SEGMENTS) for (const each of [...this.segments.keys()]) await this.dropSegment(each);
        const serial = (newest + 1) % MOST_SEGMENTS;
        const segment: Segment = { bytes: 0 };
        this.segments.set(serial, segment);
        this.current = serial;
        return { serial, segment };
    }

    private async makeRoom(bytes: number): Promise<void> {
        for (;;) {
            const [oldest] = this.segments.keys();
            const isFull = this.usedBytes + bytes > this.sizeBytes || this.index.size >= CACHE_ENTRIES;
            if (oldest === undefined || !isFull) return;
            await this.dropSegment(oldest);
        }
    }

    private async dropSegment(serial: number): Promise<void> {
        this.segments.delete(serial);
        if (this.current === serial) this.current = undefined;
        for (const [key, place] of this.index) if (Math.floor(place / SEGMENT_SPAN) === serial) this.index.delete(key);
        await this.files.remove(nameOfSegment(serial));
    }

    private clearQueue(): void {
        this.queue = [];
        this.queuedBytes = 0;
    }

    private well(): void {
        this.trouble = undefined;
        this.isLost = false;
    }

    private pause(error: unknown): void {
        if (!(error instanceof Error)) throw error;
        if (this.trouble === undefined) this.surroundings.log(`nothing is cached for a while: ${error.message}`);
        this.trouble = error.message;
        this.isLost = "code" in error && LOST.has(String(error.code));
        this.pausedUntilMs = this.surroundings.clock.nowMs() + CACHE_PAUSE_MS;
    }
}

const LOST = new Set(["ENOENT", "EROFS", "EACCES", "EPERM", "ENOTDIR"]);

/** Of 48 bits: two that meet are told apart by what stands before the chunk. */
function numberOf(key: Buffer): number {
    return key.readUIntBE(0, 6);
}
