import { type Disk, nodeDisk } from "../../engines/zdb/disk.ts";
import { WOULD_WAIT } from "../../engines/zdb/seam-read.ts";

/** A real disk of which nothing is in memory while `isCold`, and whose reads come when the test says so. */
export class SlowDisk {
    isCold = false;
    /** Reads that came to the disk. */
    asked = 0;
    readonly disk: Disk;
    private held: (() => void)[] = [];

    constructor() {
        this.disk = {
            ...nodeDisk,
            readNow: (...read) => (this.isCold ? WOULD_WAIT : nodeDisk.read(...read)),
            readLater: async (...read) => {
                this.asked++;
                await new Promise<void>((resolve) => this.held.push(resolve));
                return nodeDisk.readLater(...read);
            },
        };
    }

    get waiting(): number {
        return this.held.length;
    }

    /** Lets the reads that wait come, and gives how many. */
    release(): number {
        const released = this.held.splice(0);
        for (const resolve of released) resolve();
        return released.length;
    }
}
