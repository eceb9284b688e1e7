import type { FileHandle } from "node:fs/promises";

/** Writes all of it: the kernel may take less than it is given, at the end of a device or of its patience, and calls that no failure. */
export const writeAll = async (handle: Pick<FileHandle, "write">, bytes: Uint8Array, at: number): Promise<void> => {
    for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done);
        if (bytesWritten === 0) throw new Error(`${bytes.length - done} bytes at ${at + done} were not taken`);
        done += bytesWritten;
    }
};
