import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** The directory of a read cache. All of it may fail, and be other than it was left: nothing is lost with it. */
export interface CacheFiles {
    /** Lengths by name. Makes the directory when it is not there. */
    list(): Promise<ReadonlyMap<string, number>>;
    append(name: string, bytes: Uint8Array): Promise<void>;
    /** Fewer bytes at the end of the file. */
    read(name: string, offset: number, length: number): Promise<Buffer>;
    remove(name: string): Promise<void>;
    close(): Promise<void>;
}

export function systemCacheFiles(directory: string): CacheFiles {
    const handles = new Map<string, Promise<FileHandle>>();
    const opened = (name: string): Promise<FileHandle> => {
        const known = handles.get(name);
        if (known) return known;
        const handle = open(join(directory, name), "a+", 0o600);
        handles.set(name, handle);
        handle.catch(() => handles.delete(name));
        return handle;
    };
    const forget = async (name: string): Promise<void> => {
        const handle = handles.get(name);
        handles.delete(name);
        await handle?.then((file) => file.close()).catch(() => undefined);
    };
    return {
        async list() {
            await mkdir(directory, { recursive: true, mode: 0o700 });
            const names = await readdir(directory);
            return new Map(await Promise.all(names.map(async (name) => [name, (await stat(join(directory, name))).size] as const)));
        },
        async append(name, bytes) {
            const file = await opened(name);
            for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
        },
        async read(name, offset, length) {
            const file = await opened(name);
            const bytes = Buffer.allocUnsafeSlow(length);
            const { bytesRead } = await file.read(bytes, 0, length, offset);
            return bytes.subarray(0, bytesRead);
        },
        async remove(name) {
            await forget(name);
            await rm(join(directory, name), { force: true, recursive: true });
        },
        async close() {
            await Promise.all([...handles.keys()].map(forget));
        },
    };
}
