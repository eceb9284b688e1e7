import * as path from "node:path";
import { Cold, type FetchedRange } from "./cold-reads.ts";
import { type Disk, errorCode } from "./disk.ts";
import { READ_STEP_BYTES, SURELY_WARM_BYTES } from "./limits.ts";
import type { OpenFiles } from "./open-files.ts";
import { type Place, placeBytes } from "./place.ts";
import { RecentHeads } from "./recent-heads.ts";
import { UNSUPPORTED } from "./seam-read.ts";
import { Segment } from "./segment.ts";
import { type SegmentHeader, segmentName } from "./segment-header.ts";

interface OpenSegment {
    readonly fd: number;
    /** Reads under way on the thread pool. */
    borrowers: number;
    closes: boolean;
    /** Its file will not be found by its name any more. */
    isPinned: boolean;
}

/** The segment that is appended to. */
interface AppendedSegment {
    readonly segment: Segment;
    readonly fd: number;
}

/** The segments of one log in the order of their LSNs, the one that is appended to last, and their descriptors for reading. */
export class Segments {
    directory: string;
    /** The segment that is appended to; its descriptor is its owner's. */
    appended: AppendedSegment | undefined;
    /** Records that are going to be appended to it, while they are in memory only. */
    unwritten: Buffer | undefined;
    /**
     * Set while a command is carried out that can be abandoned: what was fetched for it. Whatever else is not in memory throws Cold then;
     * without it, reads wait for the disk.
     */
    lent: readonly FetchedRange[] | undefined;
    /** Brings the file of a closed segment back that somebody took away; false when it did not come. */
    recall: (file: string) => Promise<boolean> = async () => false;
    readonly heads = new RecentHeads();

    private readonly disk: Disk;
    private readonly files: OpenFiles;
    private readonly byId = new Map<number, Segment>();
    private inOrder: Segment[] = [];
    private readonly open = new Map<number, OpenSegment>();
    private readonly coming = new Map<number, Promise<boolean>>();
    private readonly replaced = new Set<Segment>();
    private nextId = 1;

    constructor(disk: Disk, files: OpenFiles, directory: string) {
        this.disk = disk;
        this.files = files;
        this.directory = directory;
    }

    /** In the order of LSNs. */
    get all(): readonly Segment[] {
        return this.inOrder;
    }

    /** All but the one that is appended to. */
    get closed(): readonly Segment[] {
        return this.inOrder.slice(0, -1);
    }

    get(id: number): Segment | undefined {
        return this.byId.get(id);
    }

    get highestId(): number {
        return this.nextId - 1;
    }

    /** Puts a segment at the end of the order; `id` is one that was not given yet. */
    add(header: SegmentHeader, endOffset: number, id?: number): Segment {
        const segment = this.make(header, endOffset, id);
        this.inOrder = [...this.inOrder, segment];
        return segment;
    }

    /** A segment that is in no order yet: the output of a rewriting. */
    make(header: SegmentHeader, endOffset: number, id = this.nextId): Segment {
        const segment = new Segment(id, header, endOffset);
        this.nextId = Math.max(this.nextId, id + 1);
        this.byId.set(segment.id, segment);
        return segment;
    }

    /** `segment` stands where the run stood. The old ones stay readable by their ids, and on the disk, until `drop`. */
    replace(run: readonly Segment[], segment: Segment): void {
        for (const old of run) this.replaced.add(old);
        const first = this.inOrder.findIndex(({ id }) => id === run[0]?.id);
        this.inOrder = [...this.inOrder.slice(0, first), segment, ...this.inOrder.slice(first + run.length)];
    }

    /** Nothing points to this segment any more. */
    drop(segment: Segment): void {
        this.replaced.delete(segment);
        this.byId.delete(segment.id);
        this.inOrder = this.inOrder.filter((each) => each !== segment);
        this.release(segment.id, (fd) => this.disk.closeRemoved(fd));
    }

    /** Place in `all` of the segment that stands for this LSN; of the last one before it when none does. */
    placeOf(lsn: number): number {
        let low = 0;
        let high = this.inOrder.length - 1;
        while (low < high) {
            const middle = (low + high + 1) >>> 1;
            if ((this.inOrder[middle]?.header.firstLsn ?? 0) <= lsn) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    /** All bytes of the log on disk. */
    get totalBytes(): number {
        let total = 0;
        for (const { endOffset } of this.inOrder) total += endOffset;
        return total;
    }

    /** Of segments that were replaced and are still on the disk. */
    get replacedBytes(): number {
        let replaced = 0;
        for (const { endOffset } of this.replaced) replaced += endOffset;
        return replaced;
    }

    /** Of the records the index points to, also where it still points to segments that were replaced. */
    get liveBytes(): number {
        let live = 0;
        for (const { liveBytes } of this.inOrder) live += liveBytes;
        for (const { liveBytes } of this.replaced) live += liveBytes;
        return live;
    }

    /** Live bytes and those that must stay beside them. */
    get neededBytes(): number {
        let needed = this.liveBytes;
        for (const { keptBytes, historyBytes } of this.inOrder) needed += keptBytes + historyBytes;
        return needed;
    }

    get historyBytes(): number {
        let history = 0;
        for (const { historyBytes } of this.inOrder) history += historyBytes;
        return history;
    }

    /** What the index points to in each segment; false when it points to one that is not there. */
    setLive(liveBytes: Float64Array): boolean {
        for (const [id, bytes] of liveBytes.entries()) {
            const segment = this.byId.get(id);
            if (segment) segment.liveBytes = bytes;
            else if (bytes > 0) return false;
        }
        return true;
    }

    /** The record at this place became the live value of a key, or ceased to be. */
    lives(place: Place, times: 1 | -1): void {
        const segment = this.byId.get(place.segment);
        if (segment) segment.liveBytes += times * placeBytes(place);
    }

    /**
     * Copies bytes of a segment, written or not, to `target`; false when it ends before them or they could not be fetched. Throws what
     * the disk throws, and Cold.
     */
    read(id: number, offset: number, target: Buffer, at: number, length: number): boolean {
        if (length === 0) return true;
        const { appended, lent } = this;
        const isAppended = appended?.segment.id === id;
        const unwrittenFrom = isAppended ? offset - appended.segment.endOffset : -1;
        if (unwrittenFrom >= 0) return this.unwritten?.copy(target, at, unwrittenFrom, unwrittenFrom + length) === length;

        const fd = isAppended ? appended.fd : this.fdNow(id, { offset, length });
        if (!lent) return this.disk.read(fd, target, at, length, offset) === length;
        const range = lent.find((each) => each.segment === id && each.offset <= offset && offset + length <= each.offset + each.length);
        if (range) return range.bytes?.copy(target, at, offset - range.offset, offset - range.offset + length) === length;
        if (length <= READ_STEP_BYTES) {
            const count = this.disk.readNow(fd, target, at, length, offset);
            if (count === length) return true;
            const isSurelyWarm = count === UNSUPPORTED && -unwrittenFrom <= SURELY_WARM_BYTES && isAppended;
            if (isSurelyWarm) return this.disk.read(fd, target, at, length, offset) === length;
        }
        throw new Cold({ segment: id, offset, length });
    }

    /** Exactly these bytes, when they were fetched. */
    fetched(id: number, offset: number, length: number): FetchedRange | undefined {
        return this.lent?.find((each) => each.segment === id && each.offset === offset && each.length === length);
    }

    /** A descriptor for reading, good until the next call into the table. Throws what the disk throws. */
    fd(id: number): number {
        const open = this.open.get(id);
        if (open) return open.fd;
        const segment = this.byId.get(id);
        if (!segment) throw Object.assign(new Error(`segment ${id} is gone`), { code: "ENOENT" });
        const fd = this.disk.openForRead(path.join(this.directory, segmentName(segment.header.number)));
        this.keep(id, fd);
        return fd;
    }

    /** The same for a command that can wait until the file was brought back, which throws Cold then. */
    private fdNow(segment: number, range: { readonly offset: number; readonly length: number }): number {
        try {
            return this.fd(segment);
        } catch (error) {
            // Once: when it did not come, it is not there.
            const canWait = this.lent !== undefined && !this.lent.some((each) => each.segment === segment);
            if (!canWait || errorCode(error) !== "ENOENT") throw error;
            throw new Cold({ segment, ...range });
        }
    }

    /** Has the file of a segment brought back; false when it did not come. Whoever wants it meanwhile waits for the same. */
    bringBack(id: number): Promise<boolean> {
        const segment = this.byId.get(id);
        if (!segment) return Promise.resolve(false);
        const coming = this.coming.get(id) ?? this.recall(path.join(this.directory, segmentName(segment.header.number)));
        this.coming.set(id, coming);
        return coming.finally(() => this.coming.delete(id));
    }

    /** A descriptor that stays open until it is given back, for reads that take longer than a turn. */
    borrow(id: number): { readonly fd: number; giveBack(): void } {
        const fd = this.fd(id);
        const open = this.open.get(id);
        if (!open) throw new Error(`segment ${id} is not open`);
        open.borrowers++;
        return {
            fd,
            giveBack: () => {
                open.borrowers--;
                if (open.closes && open.borrowers === 0) this.disk.close(fd);
            },
        };
    }

    /** Keeps the segment readable whatever becomes of the name of its file. */
    pin(id: number): void {
        this.fd(id);
        const open = this.open.get(id);
        if (open) open.isPinned = true;
    }

    /** Takes over a descriptor. */
    keep(id: number, fd: number): void {
        this.release(id);
        const open = { fd, borrowers: 0, closes: false, isPinned: false };
        this.open.set(id, open);
        this.files.opened(() => {
            if (this.open.get(id) === open && !open.isPinned) this.release(id);
        });
    }

    /** Another file has the name of the segment that is appended to, the same to the byte. */
    renewed(segment: Segment, fd: number): void {
        this.release(segment.id);
        this.appended = { segment, fd };
    }

    close(): void {
        this.appended = undefined;
        this.byId.clear();
        for (const id of [...this.open.keys()]) this.release(id);
    }

    private release(id: number, close = (fd: number): void => this.disk.close(fd)): void {
        const open = this.open.get(id);
        if (!open) return;
        this.open.delete(id);
        open.closes = true;
        if (open.borrowers === 0) close(open.fd);
    }
}
