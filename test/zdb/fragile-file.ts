import type { Random } from "../faults/random.ts";

/** What a sync took of a file when it was asked: it is good for that, whatever was written meanwhile. */
export interface Taken {
    readonly sectors: ReadonlyMap<number, { readonly version: number; readonly bytes: Buffer }>;
    readonly size: number;
    readonly sizeVersion: number;
}

/** A file as the system's memory has it, and as the disk has it: what was not synced reaches the disk sector by sector, or never. */
export class FragileFile {
    data: Buffer;
    private readonly sectorBytes: number;
    private durable: Buffer;
    /** Sectors that differ from the disk, with the count of the write that made them so. */
    private readonly dirty = new Map<number, number>();
    /** Sizes it had since the last sync. */
    private sizes: { readonly size: number; readonly version: number }[] = [];
    private sizeVersion = 0;
    private durableSizeVersion = 0;
    private readonly durableVersions = new Map<number, number>();
    private versions = 0;

    constructor(sectorBytes: number, contents: Buffer = Buffer.alloc(0)) {
        this.sectorBytes = sectorBytes;
        this.data = contents;
        this.durable = Buffer.from(contents);
    }

    get size(): number {
        return this.data.length;
    }

    write(bytes: Buffer, position: number): void {
        const end = position + bytes.length;
        if (end > this.data.length) this.resize(end);
        bytes.copy(this.data, position);
        this.touch(position, end);
    }

    truncate(length: number): void {
        const before = this.data.length;
        if (length === before) return;
        this.resize(length);
        this.touch(Math.min(length, before), Math.max(length, before));
    }

    /** What is to be synced. */
    take(): Taken {
        const sectors = new Map([...this.dirty].map(([sector, version]) => [sector, { version, bytes: this.sector(this.data, sector) }]));
        return { sectors, size: this.data.length, sizeVersion: this.sizeVersion };
    }

    /** What was taken is on the disk. */
    synced({ sectors, size, sizeVersion }: Taken): void {
        for (const [sector, { version, bytes }] of sectors) this.persist(sector, version, bytes);
        // A later sync may have ended before this one.
        if (sizeVersion < this.durableSizeVersion) return;
        this.durableSizeVersion = sizeVersion;
        this.durable = resized(this.durable, size);
        this.sizes = this.sizes.filter(({ version }) => version > sizeVersion);
    }

    /** Some of what was taken is on the disk; of the rest the system believes that it is, and never tries again. */
    failed({ sectors }: Taken, random: Random): void {
        for (const [sector, { version, bytes }] of sectors) {
            if (random.chance(0.5)) this.persist(sector, version, bytes);
            else if (this.dirty.get(sector) === version) this.dirty.delete(sector);
        }
    }

    /** The file as the disk has it once the power is gone: any of what was not synced may be there, in any mixture. */
    afterPowerLoss(random: Random): FragileFile {
        const size =
            this.sizes.length > 0
                ? random.pick([this.durable.length, ...this.sizes.map((each) => each.size), this.data.length])
                : this.durable.length;
        const left = resized(this.durable, size);
        // Disks tend to write all or nothing of a short tail; both mixtures must be survived.
        const share = random.pick([0, 0.2, 0.5, 0.9, 1]);
        for (const sector of this.dirty.keys()) {
            if (random.chance(share)) this.sector(this.data, sector).copy(left, sector * this.sectorBytes);
        }
        return new FragileFile(this.sectorBytes, left);
    }

    private persist(sector: number, version: number, bytes: Buffer): void {
        if (version < (this.durableVersions.get(sector) ?? 0)) return;
        this.durableVersions.set(sector, version);
        const at = sector * this.sectorBytes;
        if (at + bytes.length > this.durable.length) this.durable = resized(this.durable, at + bytes.length);
        bytes.copy(this.durable, at);
        if (this.dirty.get(sector) === version) this.dirty.delete(sector);
    }

    private resize(length: number): void {
        this.sizes.push({ size: this.data.length, version: this.sizeVersion });
        this.sizeVersion++;
        this.data = resized(this.data, length);
    }

    private touch(from: number, to: number): void {
        this.versions++;
        const { sectorBytes } = this;
        for (let sector = Math.floor(from / sectorBytes); sector * sectorBytes < to; sector++) this.dirty.set(sector, this.versions);
    }

    private sector(data: Buffer, sector: number): Buffer {
        return Buffer.from(data.subarray(sector * this.sectorBytes, (sector + 1) * this.sectorBytes));
    }
}

function resized(data: Buffer, length: number): Buffer {
    const result = Buffer.alloc(length);
    data.copy(result);
    return result;
}
