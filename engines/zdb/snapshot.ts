import * as path from "node:path";
import { setImmediate } from "node:timers/promises";
import { type Disk, errorCode } from "./disk.ts";
import type { Namespace } from "./namespace.ts";
import { Refusal } from "./refusal.ts";
import type { Segment } from "./segment.ts";
import { segmentName } from "./segment-header.ts";

/** Copied between two turns of the event loop. */
const STEP_BYTES = 256 * 1024;
const LINKS_BETWEEN_TURNS = 64;
/** A log may change while it is linked; after so many tries it is linked in one turn, in which it cannot. */
const PATIENT_TRIES = 3;
/** A copy on another file system has this name until it is whole; an interrupted one leaves it behind, and the next one removes it. */
const DRAFT_SUFFIX = ".unfinished";

/** The segment that is appended to, as it was at one moment. */
interface Moment {
    readonly active: Segment;
    readonly endOffset: number;
    readonly fd: number;
    giveBack(): void;
}

/**
 * Makes the directory `target` with the log of a namespace as it is now, while it is written and compacted: closed segments are linked,
 * the last one is copied, in `hold`, a new directory beside the namespace, which then becomes the target or, on another file system,
 * is copied there. Durable when it resolves. Throws a Refusal, and leaves nothing behind.
 */
export async function takeSnapshot(disk: Disk, namespace: Namespace, hold: string, target: string): Promise<void> {
    const check = (): void => {
        if (namespace.gone) throw new Refusal("Cannot take a snapshot: the namespace was closed meanwhile");
    };
    try {
        disk.makeDirectory(hold);
        const { active, endOffset, fd, giveBack } = await linkClosed(disk, namespace, hold);
        try {
            await copy(disk, fd, endOffset, path.join(hold, nameOf(active)), check);
        } finally {
            giveBack();
        }
        await disk.syncDirectoryLater(hold);
        if (!putInPlace(disk, hold, target)) await copyDirectory(disk, hold, target, check);
        await disk.syncDirectoryLater(path.dirname(target));
    } catch (error) {
        if (error instanceof Refusal) throw error;
        throw new Refusal(`Cannot take a snapshot to ${target} (${errorCode(error)})`);
    } finally {
        await disk.removeTree(hold).catch(() => undefined);
    }
}

/** Links the closed segments, and says what the log was when the last of them was there. */
async function linkClosed(disk: Disk, namespace: Namespace, hold: string): Promise<Moment> {
    const { segments, log } = namespace;
    const linked = new Map<string, Segment>();
    const isLinked = (segment: Segment): boolean => linked.get(nameOf(segment)) === segment;
    for (let tries = 0; ; tries++) {
        for (const segment of segments.closed) {
            if (isLinked(segment)) continue;
            const name = nameOf(segment);
            disk.remove(path.join(hold, name));
            if (!tryLink(disk, path.join(segments.directory, name), path.join(hold, name))) break;
            linked.set(name, segment);
            if (linked.size % LINKS_BETWEEN_TURNS === 0 && tries < PATIENT_TRIES) await setImmediate();
        }
        // What a client wrote before it asked is in the snapshot.
        if (log.failure === undefined) log.writeOrRefuse();
        if (!segments.closed.every(isLinked)) continue;
        const names = new Set(segments.closed.map(nameOf));
        for (const name of linked.keys()) if (!names.has(name)) disk.remove(path.join(hold, name));
        return momentOf(namespace);
    }
}

/**
 * A second name for the file of a closed segment, which nobody changes; false when compaction has removed it. A name that compaction has
 * just given to another file stands for the same records, and those beside it are left-overs then.
 */
function tryLink(disk: Disk, from: string, to: string): boolean {
    try {
        disk.link(from, to);
        return true;
    } catch (error) {
        if (errorCode(error) === "ENOENT") return false;
        throw error;
    }
}

function momentOf({ segments, gone }: Namespace): Moment {
    const active = segments.appended?.segment;
    if (gone || !active || active.endOffset === 0) throw new Refusal("Cannot take a snapshot: the namespace is closed or has no log");
    return { active, endOffset: active.endOffset, ...segments.borrow(active.id) };
}

/** False when the target is on another file system. */
function putInPlace(disk: Disk, hold: string, target: string): boolean {
    if (disk.exists(target)) throw new Refusal(`Cannot take a snapshot: ${target} exists`);
    try {
        disk.rename(hold, target);
        return true;
    } catch (error) {
        if (errorCode(error) === "EXDEV") return false;
        throw error;
    }
}

async function copyDirectory(disk: Disk, from: string, target: string, check: () => void): Promise<void> {
    const draft = target + DRAFT_SUFFIX;
    try {
        await disk.removeTree(draft);
        disk.makeDirectory(draft);
        for (const name of disk.list(from)) {
            const fd = disk.openForRead(path.join(from, name));
            try {
                await copy(disk, fd, disk.size(fd), path.join(draft, name), check);
            } finally {
                disk.close(fd);
            }
        }
        await disk.syncDirectoryLater(draft);
        putInPlace(disk, draft, target);
    } catch (error) {
        await disk.removeTree(draft).catch(() => undefined);
        throw error;
    }
}

/** Reads on the thread pool, and lets others have their turn after each step. */
async function copy(disk: Disk, from: number, length: number, target: string, check: () => void): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(STEP_BYTES);
    const fd = disk.create(target);
    try {
        for (let done = 0; done < length; ) {
            check();
            const count = await disk.readLater(from, buffer, 0, Math.min(buffer.length, length - done), done);
            if (count === 0) throw new Refusal("Cannot take a snapshot: a segment ends before its last record");
            disk.write(fd, buffer, 0, count, done);
            done += count;
        }
        await disk.sync(fd);
    } finally {
        disk.close(fd);
    }
}

const nameOf = ({ header }: Segment): string => segmentName(header.number);
