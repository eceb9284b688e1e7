import { type DiskReader, errorCode } from "./disk.ts";

/** What a disk that fails gives or refuses as a whole. */
const SECTOR_BYTES = 4096;

/** Codes that say that the medium does not give its bytes. */
const MEDIUM_ERRORS: readonly string[] = ["EIO", "EUCLEAN", "EBADMSG"];

/**
 * The same disk for whoever saves what can be saved: sectors that cannot be read come as zeros, which no checksum takes for what was
 * written, so that what is around them is read all the same.
 */
export function patientDisk(disk: DiskReader): DiskReader {
    return {
        openForRead: (file) => disk.openForRead(file),
        close: (fd) => disk.close(fd),
        size: (fd) => disk.size(fd),
        list: (directory) => disk.list(directory),
        exists: (file) => disk.exists(file),
        read(fd, target, offset, length, position) {
            try {
                return disk.read(fd, target, offset, length, position);
            } catch (error) {
                if (!MEDIUM_ERRORS.includes(errorCode(error))) throw error;
                return readSectors(disk, fd, target, offset, length, position);
            }
        },
    };
}

function readSectors(disk: DiskReader, fd: number, target: Buffer, offset: number, length: number, position: number): number {
    const end = Math.min(length, Math.max(0, disk.size(fd) - position));
    for (let done = 0; done < end; ) {
        const step = Math.min(end - done, SECTOR_BYTES - ((position + done) % SECTOR_BYTES));
        try {
            disk.read(fd, target, offset + done, step, position + done);
        } catch {
            target.fill(0, offset + done, offset + done + step);
        }
        done += step;
    }
    return end;
}
