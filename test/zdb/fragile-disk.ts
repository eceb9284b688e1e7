import type { Disk } from "../../engines/zdb/disk.ts";
import { UNSUPPORTED, WOULD_WAIT } from "../../engines/zdb/seam-read.ts";
import type { Random } from "../faults/random.ts";
import { type FragileDevice, FragileDirectory, type FragileNode } from "./fragile-device.ts";
import { FragileFile, type Taken } from "./fragile-file.ts";

/** What goes wrong, as shares of the operations of that kind. */
export interface DiskTrouble {
    readonly write: number;
    readonly sync: number;
    readonly read: number;
    /** Of names: create, open, rename, remove, list. */
    readonly name: number;
}

export const NO_TROUBLE: DiskTrouble = { write: 0, sync: 0, read: 0, name: 0 };

export interface FragileDiskOptions {
    readonly random: Random;
    /** Operations that change the device until the process is dead; it dies in the middle of the last one. */
    readonly operations?: number | undefined;
    readonly trouble?: DiskTrouble;
    /** Bytes of all files together, at most. */
    readonly capacity?: number;
    /** How long a sync takes. */
    readonly syncing?: () => Promise<void>;
    readonly died?: () => void;
}

/** A device as one process sees it. Once the process is dead, nothing it does changes anything. */
export class FragileDisk implements Disk {
    trouble: DiskTrouble;
    capacity: number;
    isDead = false;
    /** Syncs that failed. */
    failedSyncs = 0;
    private readonly device: FragileDevice;
    private readonly random: Random;
    private readonly syncing: () => Promise<void>;
    private readonly died: () => void;
    private operationsLeft: number;
    private readonly open = new Map<number, FragileNode>();
    private nextFd = 3;

    constructor(device: FragileDevice, { random, operations, trouble, capacity, syncing, died }: FragileDiskOptions) {
        this.device = device;
        this.random = random;
        this.operationsLeft = operations ?? Number.POSITIVE_INFINITY;
        this.trouble = trouble ?? NO_TROUBLE;
        this.capacity = capacity ?? Number.POSITIVE_INFINITY;
        this.syncing = syncing ?? (() => Promise.resolve());
        this.died = died ?? (() => undefined);
    }

    get openFiles(): number {
        return this.open.size;
    }

    /** Dies in the middle of the operation after so many. */
    dieAfter(operations: number): void {
        this.operationsLeft = operations;
    }

    /** From now on nothing succeeds. */
    kill(): void {
        this.isDead = true;
        this.died();
    }

    openForRead(file: string): number {
        this.mayFail("name");
        return this.opened(this.node(file));
    }

    openForAppend(file: string): number {
        this.mayFail("name");
        return this.opened(this.node(file));
    }

    create(file: string): number {
        this.operate("name");
        const place = this.place(file);
        if (place.directory.entries.has(place.base)) throw failure("EEXIST");
        const created = new FragileFile(this.device.sectorBytes);
        this.device.link(place.directory, place.base, created);
        return this.opened(created);
    }

    close(fd: number): void {
        if (!this.open.delete(fd)) throw failure("EBADF");
    }

    closeRemoved(fd: number): void {
        this.close(fd);
    }

    read(fd: number, target: Buffer, offset: number, length: number, position: number): number {
        this.mayFail("read");
        return this.file(fd).data.copy(target, offset, position, position + length);
    }

    readNow(fd: number, target: Buffer, offset: number, length: number, position: number): number {
        if (this.random.chance(0.05)) return this.random.pick([WOULD_WAIT, UNSUPPORTED]);
        return this.read(fd, target, offset, length, position);
    }

    async readLater(fd: number, target: Buffer, offset: number, length: number, position: number): Promise<number> {
        return this.read(fd, target, offset, length, position);
    }

    /** A write that fails may have written a part. */
    write(fd: number, source: Buffer, offset: number, length: number, position: number): void {
        const file = this.file(fd);
        const bytes = Buffer.from(source.buffer, source.byteOffset + offset, length);
        const room = this.capacity - this.device.usedBytes + Math.max(0, file.size - position);
        const ends = this.dies() || this.random.chance(this.trouble.write);
        const written = Math.max(0, Math.min(ends ? this.random.whole(0, length) : length, room));
        if (written > 0) file.write(bytes.subarray(0, written), position);
        if (ends) throw failure("EIO");
        if (written < length) throw failure("ENOSPC");
    }

    size(fd: number): number {
        return this.file(fd).size;
    }

    truncate(fd: number, length: number): void {
        this.operate("write");
        this.file(fd).truncate(length);
    }

    async sync(fd: number): Promise<void> {
        const file = this.file(fd);
        const taken = file.take();
        await this.syncing();
        this.bring(file, taken);
    }

    syncNow(fd: number): void {
        const file = this.file(fd);
        this.bring(file, file.take());
    }

    syncDirectory(directory: string): void {
        const node = this.node(directory);
        if (!(node instanceof FragileDirectory)) throw failure("ENOTDIR");
        this.operate("sync");
        this.device.syncNames(node);
    }

    async syncDirectoryLater(directory: string): Promise<void> {
        await this.syncing();
        this.syncDirectory(directory);
    }

    list(directory: string): string[] {
        this.mayFail("name");
        const node = this.node(directory);
        if (!(node instanceof FragileDirectory)) throw failure("ENOTDIR");
        return [...node.entries.keys()];
    }

    makeDirectory(directory: string): void {
        if (this.device.find(directory) instanceof FragileDirectory) return;
        const parent = directory.slice(0, directory.lastIndexOf("/"));
        if (parent !== "") this.makeDirectory(parent);
        this.operate("name");
        const place = this.place(directory);
        this.device.link(place.directory, place.base, new FragileDirectory());
    }

    rename(from: string, to: string): void {
        this.operate("name");
        const [source, target] = [this.place(from), this.place(to)];
        if (!source.directory.entries.has(source.base)) throw failure("ENOENT");
        const there = target.directory.entries.get(target.base);
        if (there instanceof FragileDirectory && there.entries.size > 0) throw failure("ENOTEMPTY");
        this.device.rename(source.directory, source.base, target.directory, target.base);
    }

    link(from: string, to: string): void {
        this.operate("name");
        const place = this.place(to);
        if (place.directory.entries.has(place.base)) throw failure("EEXIST");
        this.device.link(place.directory, place.base, this.node(from));
    }

    remove(file: string): void {
        this.operate("name");
        const place = this.device.place(file);
        if (place) this.device.unlink(place.directory, place.base);
    }

    async removeTree(directory: string): Promise<void> {
        const node = this.device.find(directory);
        if (node instanceof FragileDirectory) {
            for (const base of [...node.entries.keys()]) {
                await this.syncing();
                if (node.entries.get(base) instanceof FragileDirectory) await this.removeTree(`${directory}/${base}`);
                else this.remove(`${directory}/${base}`);
            }
        }
        this.remove(directory);
    }

    exists(file: string): boolean {
        return this.device.find(file) !== undefined;
    }

    freeBytes(): number {
        return this.capacity - this.device.usedBytes;
    }

    private place(name: string) {
        const place = this.device.place(name);
        if (!place) throw failure("ENOENT");
        return place;
    }

    private node(name: string): FragileNode {
        const node = this.device.find(name);
        if (!node) throw failure("ENOENT");
        return node;
    }

    private at(fd: number): FragileNode {
        if (this.isDead) throw failure("EIO");
        const node = this.open.get(fd);
        if (!node) throw failure("EBADF");
        return node;
    }

    private file(fd: number): FragileFile {
        const node = this.at(fd);
        if (!(node instanceof FragileFile)) throw failure("EISDIR");
        return node;
    }

    private opened(node: FragileNode): number {
        this.open.set(this.nextFd, node);
        return this.nextFd++;
    }

    /** Before anything that changes the device. */
    private operate(kind?: keyof DiskTrouble): void {
        if (this.dies()) throw failure("EIO");
        if (kind) this.mayFail(kind);
    }

    private dies(): boolean {
        this.operationsLeft--;
        if (!this.isDead && this.operationsLeft < 0) this.kill();
        return this.isDead;
    }

    private mayFail(kind: keyof DiskTrouble): void {
        if (this.isDead || this.random.chance(this.trouble[kind])) throw failure("EIO");
    }

    /** Brings what was taken of a file to the disk; throws when that fails. */
    private bring(file: FragileFile, taken: Taken): void {
        this.operate();
        if (!this.random.chance(this.trouble.sync)) {
            file.synced(taken);
            return;
        }
        file.failed(taken, this.random);
        this.failedSyncs++;
        throw failure("EIO");
    }
}

function failure(code: string): Error {
    return Object.assign(new Error(code), { code });
}
