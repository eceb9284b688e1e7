import * as path from "node:path";
import type { DiskReader } from "./disk.ts";
import type { SegmentHeader } from "./segment-header.ts";
import { decodeSidecarHeader, SIDECAR_HEADER_BYTES, SidecarBlocks, type SidecarHeader, sidecarName } from "./sidecar.ts";

export interface StoredSidecar {
    readonly header: SidecarHeader;
    readonly blocks: SidecarBlocks;
}

/** Of which segments there are sidecars in a directory. */
export function sidecarNumbers(disk: Pick<DiskReader, "list">, directory: string): number[] {
    return disk
        .list(directory)
        .flatMap((name) => /^i(\d{1,9})$/.exec(name)?.[1] ?? [])
        .map(Number);
}

/** The sidecars of a stopped namespace, for whoever wants to know what its segments held. */
export class StoredSidecars {
    private readonly disk: DiskReader;
    private readonly directory: string | undefined;
    private readonly open: number[] = [];

    /** Without a directory there are none. */
    constructor(disk: DiskReader, directory: string | undefined) {
        this.disk = disk;
        this.directory = directory !== undefined && disk.exists(directory) ? directory : undefined;
    }

    /** The sidecar of the segment with this header; undefined when there is none that belongs to it. */
    find({ number, epoch, generation, salt, firstLsn }: SegmentHeader): StoredSidecar | undefined {
        const sidecar = this.read(number);
        const header = sidecar?.header;
        const fits = header?.epoch === epoch && header.generation === generation && header.salt === salt && header.firstLsn === firstLsn;
        return fits ? sidecar : undefined;
    }

    /** The header of a segment as its sidecar tells it. Its next sequential id is in no sidecar: later segments know it. */
    headerOf(number: number, epoch: number | undefined): SegmentHeader | undefined {
        const header = this.read(number)?.header;
        if (!header || (epoch !== undefined && header.epoch !== epoch)) return undefined;
        const { generation, firstLsn, lastLsn, salt, endOffset } = header;
        return {
            epoch: header.epoch,
            number,
            generation,
            firstLsn,
            lastLsn: generation === 0 ? 0 : lastLsn,
            nextId: 0,
            createdMs: 0,
            salt,
            limitBytes: endOffset,
            cleanLsn: 0,
            keptBytes: 0,
            historyBytes: 0,
        };
    }

    /** Sidecars of segments that are not there and whose records are all in this range, in order. */
    orphans(fromLsn: number, toLsn: number, present: readonly { readonly header: SegmentHeader }[]): StoredSidecar[] {
        if (this.directory === undefined) return [];
        const epoch = present[0]?.header.epoch;
        const missing = sidecarNumbers(this.disk, this.directory).filter((number) => {
            return !present.some(({ header }) => header.number === number);
        });
        return missing
            .flatMap((number) => this.read(number) ?? [])
            .filter(({ header }) => header.epoch === epoch && header.firstLsn >= fromLsn && header.lastLsn <= toLsn)
            .sort((a, b) => a.header.firstLsn - b.header.firstLsn);
    }

    close(): void {
        for (const fd of this.open.splice(0)) this.disk.close(fd);
    }

    private read(number: number): StoredSidecar | undefined {
        const file = path.join(this.directory ?? "", sidecarName(number));
        if (this.directory === undefined || !this.disk.exists(file)) return undefined;
        const fd = this.disk.openForRead(file);
        this.open.push(fd);
        const bytes = Buffer.alloc(SIDECAR_HEADER_BYTES);
        const header = decodeSidecarHeader(bytes.subarray(0, this.disk.read(fd, bytes, 0, bytes.length, 0)));
        return header?.number === number ? { header, blocks: new SidecarBlocks(this.disk, fd, header) } : undefined;
    }
}
