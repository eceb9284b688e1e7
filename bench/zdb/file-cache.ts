import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

/** Takes the files below a directory out of the kernel's memory, and nobody else's. */
export function forgetFiles(directory: string): void {
    for (const entry of fs.readdirSync(directory, { withFileTypes: true, recursive: true })) {
        if (!entry.isFile()) continue;
        // dd of nothing with nocache is posix_fadvise(DONTNEED) of the whole file.
        const file = path.join(entry.parentPath, entry.name);
        spawnSync("dd", [`of=${file}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0"], { stdio: "ignore" });
    }
}

/** What the files below a directory take on the disk. */
export function bytesBelow(directory: string): number {
    let bytes = 0;
    for (const entry of fs.readdirSync(directory, { withFileTypes: true, recursive: true })) {
        if (!entry.isFile()) continue;
        const { blocks } = fs.statSync(path.join(entry.parentPath, entry.name), { throwIfNoEntry: false }) ?? { blocks: 0 };
        bytes += blocks * 512;
    }
    return bytes;
}
