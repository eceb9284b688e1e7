import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";

/** Tells how far it is. */
export type Copied = (bytes: number) => void;

/** Large enough that a disk streams, small enough that whoever cancels is heard soon. */
const CHUNK_BYTES = 4 * 2 ** 20;
/** So much may wait in memory for the disk: a sync of more would look like a stall. */
const SYNC_BYTES = 128 * 2 ** 20;

/**
 * Makes a file of the same size equal to another, writing only what differs, and answers how many bytes that were. What is written is
 * on the disk when the promise is kept. Begun again after a cut, it goes on; run on equal files, it is their comparison.
 */
export const makeEqual = async (from: string, to: string, copied: Copied, signal: AbortSignal): Promise<number> => {
    const source = await open(from, "r");
    try {
        const target = await open(to, "r+");
        try {
            return await passOver({ handle: source, path: from }, { handle: target, path: to }, copied, signal);
        } finally {
            await target.close();
        }
    } finally {
        await source.close();
    }
};

interface Opened {
    readonly handle: FileHandle;
    readonly path: string;
}

const passOver = async (source: Opened, target: Opened, copied: Copied, signal: AbortSignal): Promise<number> => {
    const [wanted, found] = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)];
    const { size } = await source.handle.stat();
    let written = 0;
    let unsynced = 0;
    for (let at = 0; at < size; at += CHUNK_BYTES) {
        signal.throwIfAborted();
        const bytes = Math.min(CHUNK_BYTES, size - at);
        await Promise.all([readFully(source, wanted, bytes, at), readFully(target, found, bytes, at)]);
        if (wanted.compare(found, 0, bytes, 0, bytes) !== 0) {
            await target.handle.write(wanted, 0, bytes, at);
            written += bytes;
            unsynced += bytes;
        }
        if (unsynced >= SYNC_BYTES) {
            await target.handle.datasync();
            unsynced = 0;
        }
        copied(at + bytes);
    }
    await target.handle.sync();
    return written;
};

const readFully = async ({ handle, path }: Opened, into: Buffer, bytes: number, at: number): Promise<void> => {
    for (let done = 0; done < bytes; ) {
        const { bytesRead } = await handle.read(into, done, bytes - done, at + done).catch((failure: unknown) => {
            // Of two disks, the one that fails.
            throw failure instanceof Error ? Object.assign(failure, { path }) : failure;
        });
        if (bytesRead === 0) throw new Error(`${path} ends after ${at + done} bytes`);
        done += bytesRead;
    }
};
