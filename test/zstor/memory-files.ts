import type { CacheFiles } from "../../engines/zstor/cache-files.ts";

/** The directory of a read cache in memory, with all that can be wrong with a disk. */
export class MemoryFiles implements CacheFiles {
    readonly files = new Map<string, Buffer>();
    /** Room of the disk; what does not fit is written in part. */
    roomBytes = Number.POSITIVE_INFINITY;
    /** Refuses everything. */
    isBroken = false;

    get usedBytes(): number {
        return [...this.files.values()].reduce((sum, { length }) => sum + length, 0);
    }

    async list(): Promise<ReadonlyMap<string, number>> {
        this.check();
        return new Map([...this.files].map(([name, { length }]) => [name, length]));
    }

    async append(name: string, bytes: Uint8Array): Promise<void> {
        this.check();
        const room = this.roomBytes - this.usedBytes;
        this.files.set(name, Buffer.concat([this.files.get(name) ?? Buffer.alloc(0), bytes.subarray(0, Math.max(0, room))]));
        if (bytes.length > room) throw new Error("ENOSPC: no space left on device, write");
    }

    async read(name: string, offset: number, length: number): Promise<Buffer> {
        this.check();
        return Buffer.from((this.files.get(name) ?? Buffer.alloc(0)).subarray(offset, offset + length));
    }

    async remove(name: string): Promise<void> {
        this.check();
        this.files.delete(name);
    }

    async close(): Promise<void> {}

    private check(): void {
        if (this.isBroken) throw new Error("EIO: i/o error");
    }
}
