import * as path from "node:path";
import type { Disk } from "./disk.ts";
import type { OpenFiles } from "./open-files.ts";
import type { Segment } from "./segment.ts";
import type { SegmentHeader } from "./segment-header.ts";
import { decodeSidecarHeader, SIDECAR_HEADER_BYTES, SidecarBlocks, type SidecarHeader, sidecarName } from "./sidecar.ts";
import { SidecarWriter } from "./sidecar-writer.ts";

/** A sidecar that was found to be of a segment. */
export interface OpenedSidecar {
    readonly fd: number;
    readonly header: SidecarHeader;
    readonly blocks: SidecarBlocks;
}

/** The sidecars of one namespace. All of them can be rebuilt, so trouble with one only makes things slower. */
export class Sidecars {
    readonly directory: string;

    private readonly disk: Disk;
    private readonly files: OpenFiles;
    private readonly open = new Map<number, OpenedSidecar>();

    constructor(disk: Disk, files: OpenFiles, directory: string) {
        this.disk = disk;
        this.files = files;
        this.directory = directory;
    }

    /** The blocks of a segment that is known to have a sidecar. Throws what the disk throws. */
    blocksOf(segment: Segment): SidecarBlocks | undefined {
        const open = this.open.get(segment.id);
        if (open) return open.blocks;
        const found = this.find(segment.header);
        if (!found) return undefined;
        this.open.set(segment.id, found);
        this.files.opened(() => {
            if (this.open.get(segment.id) === found) this.close(segment.id);
        });
        return found.blocks;
    }

    /** The sidecar of the segment with this header; undefined when there is none that fits. The caller closes it. */
    find({ epoch, number, generation, salt, firstLsn }: SegmentHeader): OpenedSidecar | undefined {
        let fd: number;
        try {
            fd = this.disk.openForRead(this.file(number));
        } catch {
            return undefined;
        }
        try {
            const bytes = Buffer.alloc(SIDECAR_HEADER_BYTES);
            const header = decodeSidecarHeader(bytes.subarray(0, this.disk.read(fd, bytes, 0, bytes.length, 0)));
            const fits = header && header.epoch === epoch && header.generation === generation && header.salt === salt;
            if (fits && header.number === number && header.firstLsn === firstLsn) {
                return { fd, header, blocks: new SidecarBlocks(this.disk, fd, header) };
            }
        } catch {
            // Unreadable is the same as not there.
        }
        this.disk.close(fd);
        return undefined;
    }

    /** Begins a sidecar. Throws what the disk throws. */
    begin(number: number): SidecarWriter {
        if (!this.disk.exists(this.directory)) this.disk.makeDirectory(this.directory);
        return new SidecarWriter(this.disk, this.file(number));
    }

    /** The segment has no use for its sidecar any more. */
    close(id: number): void {
        const open = this.open.get(id);
        if (!open) return;
        this.open.delete(id);
        this.disk.close(open.fd);
    }

    closeAll(): void {
        for (const id of [...this.open.keys()]) this.close(id);
    }

    /** Removes the file of a number that no segment has any more. */
    remove(number: number): void {
        this.disk.remove(this.file(number));
    }

    private file(number: number): string {
        return path.join(this.directory, sidecarName(number));
    }
}
