import { crc32 } from "node:zlib";
import { type Disk, errorCode } from "./disk.ts";
import type { InputBudget } from "./input-budget.ts";
import { READ_STEP_BYTES } from "./limits.ts";
import type { Spot } from "./place.ts";
import type { ReplyBuffer } from "./reply-buffer.ts";
import type { Segments } from "./segments.ts";

/** After so many waits for a command whose keys others keep changing, its reads wait for the disk themselves. */
const MOST_WAITS = 16;

/** Bytes of a segment. */
export interface Range extends Spot {
    readonly length: number;
}

/** Bytes that were read from the disk for a command that waits for them. */
export interface FetchedRange extends Range {
    /** undefined when they could not be read, or the file ends before. */
    readonly bytes: Buffer | undefined;
    /** CRC of all of them. */
    readonly checksum: number;
}

/**
 * A command came upon bytes that are not in memory, or too many to be read in its turn. It has changed nothing yet: it is abandoned, and
 * carried out anew when they were read.
 */
export class Cold extends Error {
    readonly range: Range;

    constructor(range: Range) {
        super("bytes of the log are not in memory");
        this.range = range;
    }
}

/** What a command that may be abandoned reads from. */
export interface ColdReads {
    readonly segments: Segments;
    readonly disk: Disk;
    /** Memory for what is read for waiting commands, for all of them together. */
    readonly budget: InputBudget;
}

/**
 * Carries out `step`, anew as often as it comes upon bytes that are not in memory; yields what must be waited for meanwhile. What
 * an abandoned try added to the answer is taken back. `missing` is what a try before this has come upon.
 */
export function* untilWarm<T>(
    reads: ColdReads,
    replies: ReplyBuffer,
    step: () => T,
    missing?: Cold,
): Generator<Promise<void> | undefined, T> {
    const { segments, budget } = reads;
    const fetched: FetchedRange[] = [];
    let claim: Claim | undefined;
    let held = 0;
    try {
        let cold = missing;
        for (let waits = 0; ; waits++) {
            if (cold) {
                const { range } = cold;
                const room = new Claim(budget, range.length);
                claim = room;
                yield room.granted.then(async () => void fetched.push(await fetchRange(reads, range, room)));
                held += range.length;
                claim = undefined;
            }
            const before = replies.size;
            try {
                segments.lent = waits < MOST_WAITS ? fetched : undefined;
                return step();
            } catch (error) {
                if (!(error instanceof Cold)) throw error;
                cold = error;
                replies.rewind(before);
            } finally {
                segments.lent = undefined;
            }
        }
    } finally {
        claim?.takeBack();
        if (held > 0) budget.release(held);
    }
}

/** Room in a budget, asked for and perhaps no longer wanted. */
class Claim {
    readonly granted: Promise<void>;
    private readonly budget: InputBudget;
    private readonly bytes: number;
    /** Nobody waits for it any more. */
    isUnwanted = false;
    private isGranted = false;
    private leaveQueue: () => void = () => undefined;

    constructor(budget: InputBudget, bytes: number) {
        this.budget = budget;
        this.bytes = bytes;
        this.granted = new Promise((resolve) => {
            this.leaveQueue = budget.claim(bytes, () => {
                this.isGranted = true;
                resolve();
            });
        });
    }

    takeBack(): void {
        this.isUnwanted = true;
        if (this.isGranted) this.budget.release(this.bytes);
        else this.leaveQueue();
    }
}

/** A file that somebody took away may be brought back, which is tried once. */
async function borrow(segments: Segments, id: number): Promise<ReturnType<Segments["borrow"]>> {
    try {
        return segments.borrow(id);
    } catch (error) {
        if (errorCode(error) !== "ENOENT" || !(await segments.bringBack(id))) throw error;
        return segments.borrow(id);
    }
}

/** Reads on the thread pool, in steps, so that neither the disk nor the checksum of a large value holds up others. Never rejects. */
async function fetchRange({ segments, disk }: ColdReads, range: Range, room: Claim): Promise<FetchedRange> {
    const bytes = Buffer.allocUnsafeSlow(range.length);
    let checksum = 0;
    try {
        const { fd, giveBack } = await borrow(segments, range.segment);
        try {
            for (let at = 0; at < range.length && !room.isUnwanted; at += READ_STEP_BYTES) {
                const length = Math.min(READ_STEP_BYTES, range.length - at);
                if ((await disk.readLater(fd, bytes, at, length, range.offset + at)) < length)
                    return { ...range, bytes: undefined, checksum };
                checksum = crc32(bytes.subarray(at, at + length), checksum);
            }
            return { ...range, bytes, checksum };
        } finally {
            giveBack();
        }
    } catch {
        return { ...range, bytes: undefined, checksum };
    }
}
