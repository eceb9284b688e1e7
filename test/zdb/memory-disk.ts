import * as path from "node:path";
import type { Disk } from "../../engines/zdb/disk.ts";
import { WOULD_WAIT } from "../../engines/zdb/seam-read.ts";

interface MemoryFile {
    data: Buffer;
    /** What a power loss leaves. */
    synced: Buffer;
}

/** A disk in memory that can run full, fail, and lose everything that was not synced. */
export class MemoryDisk implements Disk {
    /** Bytes of all files together, at most. */
    capacity = Number.POSITIVE_INFINITY;
    failWrites = false;
    failSyncs = false;
    /** Nothing is in memory that a read would not have to wait for. */
    isCold = false;
    /** Files that cannot be opened. */
    readonly unreadable = new Set<string>();
    /** Syncs wait until `releaseSyncs`. */
    holdSyncs = false;
    syncs = 0;
    readBytes = 0;

    private files = new Map<string, MemoryFile>();
    private directories = new Set<string>();
    private readonly open = new Map<number, MemoryFile | undefined>();
    private held: (() => void)[] = [];
    private nextFd = 3;

    constructor(...directories: string[]) {
        for (const directory of directories) this.directories.add(directory);
    }

    get openFiles(): number {
        return this.open.size;
    }

    get usedBytes(): number {
        let used = 0;
        for (const { data } of this.files.values()) used += data.length;
        return used;
    }

    /** Bytes of the files directly in a directory. */
    bytesIn(directory: string): number {
        let bytes = 0;
        for (const [name, { data }] of this.files) if (path.dirname(name) === directory) bytes += data.length;
        return bytes;
    }

    openForRead(file: string): number {
        return this.opened(this.directories.has(file) ? undefined : this.file(file));
    }

    openForAppend(file: string): number {
        return this.opened(this.file(file));
    }

    create(file: string): number {
        if (this.files.has(file)) throw failure("EEXIST");
        const created = { data: Buffer.alloc(0), synced: Buffer.alloc(0) };
        this.files.set(file, created);
        return this.opened(created);
    }

    close(fd: number): void {
        if (!this.open.delete(fd)) throw failure("EBADF");
    }

    closeRemoved(fd: number): void {
        this.close(fd);
    }

    read(fd: number, target: Buffer, offset: number, length: number, position: number): number {
        const count = this.at(fd).data.copy(target, offset, position, position + length);
        this.readBytes += count;
        return count;
    }

    readNow(fd: number, target: Buffer, offset: number, length: number, position: number): number {
        return this.isCold ? WOULD_WAIT : this.read(fd, target, offset, length, position);
    }

    async readLater(fd: number, target: Buffer, offset: number, length: number, position: number): Promise<number> {
        return this.read(fd, target, offset, length, position);
    }

    write(fd: number, source: Buffer, offset: number, length: number, position: number): void {
        if (this.failWrites) throw failure("EIO");
        const file = this.at(fd);
        const room = this.capacity - this.usedBytes + Math.max(0, file.data.length - position);
        const written = Math.max(0, Math.min(length, room));
        const data = Buffer.alloc(Math.max(file.data.length, position + written));
        file.data.copy(data);
        Buffer.from(source.buffer, source.byteOffset, source.byteLength).copy(data, position, offset, offset + written);
        file.data = data;
        if (written < length) throw failure("ENOSPC");
    }

    size(fd: number): number {
        return this.at(fd).data.length;
    }

    truncate(fd: number, length: number): void {
        const file = this.at(fd);
        file.data = Buffer.from(file.data.subarray(0, length));
    }

    async sync(fd: number): Promise<void> {
        const file = this.at(fd);
        const data = Buffer.from(file.data);
        if (this.holdSyncs) await new Promise<void>((resolve) => this.held.push(resolve));
        if (this.failSyncs) throw failure("EIO");
        this.syncs++;
        file.synced = data;
    }

    releaseSyncs(): void {
        this.holdSyncs = false;
        for (const release of this.held.splice(0)) release();
    }

    syncNow(fd: number): void {
        if (this.failSyncs) throw failure("EIO");
        this.syncs++;
        const file = this.at(fd);
        file.synced = Buffer.from(file.data);
    }

    syncDirectory(): void {
        if (this.failSyncs) throw failure("EIO");
    }

    async syncDirectoryLater(): Promise<void> {
        this.syncDirectory();
    }

    list(directory: string): string[] {
        if (!this.directories.has(directory)) throw failure("ENOENT");
        return [...this.files.keys(), ...this.directories].flatMap((name) => (path.dirname(name) === directory ? path.basename(name) : []));
    }

    makeDirectory(directory: string): void {
        this.directories.add(directory);
    }

    rename(from: string, to: string): void {
        if (!this.exists(from)) throw failure("ENOENT");
        const moved = (name: string): string => (name === from || name.startsWith(`${from}/`) ? to + name.slice(from.length) : name);
        this.files = new Map([...this.files].map(([name, file]) => [moved(name), file]));
        this.directories = new Set([...this.directories].map(moved));
    }

    link(from: string, to: string): void {
        if (this.exists(to)) throw failure("EEXIST");
        this.files.set(to, this.file(from));
    }

    remove(file: string): void {
        this.files.delete(file);
    }

    async removeTree(directory: string): Promise<void> {
        for (const name of [...this.files.keys()]) if (name.startsWith(`${directory}/`)) this.files.delete(name);
        this.directories.delete(directory);
    }

    exists(file: string): boolean {
        return this.files.has(file) || this.directories.has(file);
    }

    freeBytes(): number {
        return this.capacity - this.usedBytes;
    }

    /** The same disk as another process finds it after a kill. */
    copy(): MemoryDisk {
        const copy = new MemoryDisk(...this.directories);
        for (const [name, { data, synced }] of this.files) copy.files.set(name, { data: Buffer.from(data), synced: Buffer.from(synced) });
        return copy;
    }

    /** The same disk after the power was gone: of what was not synced, `kept` says how many bytes survive. */
    afterPowerLoss(kept: (unsyncedBytes: number) => number = () => 0): MemoryDisk {
        const copy = this.copy();
        for (const file of copy.files.values()) {
            const unsynced = Math.max(0, file.data.length - file.synced.length);
            const tail = file.data.subarray(file.synced.length, file.synced.length + kept(unsynced));
            file.data = Buffer.concat([file.synced, tail]);
            file.synced = Buffer.from(file.data);
        }
        return copy;
    }

    contents(file: string): Buffer {
        return Buffer.from(this.file(file).data);
    }

    /** Other bytes in a file that may be open. */
    change(file: string, data: Buffer): void {
        this.file(file).data = Buffer.from(data);
    }

    replace(file: string, data: Buffer): void {
        this.files.set(file, { data: Buffer.from(data), synced: Buffer.from(data) });
    }

    private file(name: string): MemoryFile {
        if (this.unreadable.has(name)) throw failure("EIO");
        const file = this.files.get(name);
        if (!file) throw failure("ENOENT");
        return file;
    }

    private at(fd: number): MemoryFile {
        const file = this.open.get(fd);
        if (!file) throw failure(this.open.has(fd) ? "EISDIR" : "EBADF");
        return file;
    }

    private opened(file: MemoryFile | undefined): number {
        this.open.set(this.nextFd, file);
        return this.nextFd++;
    }
}

function failure(code: string): Error {
    return Object.assign(new Error(code), { code });
}
