import { writeUint64 } from "./record.ts";

const KEY_BYTES = 8;

/** The ids of sequential mode: every value written takes one, an update too, and none ever comes back. */
export class SequentialIds {
    next = 0;
    private remembered = 0;

    /** Key of the next new value: the id, little-endian. */
    nextKey(): Buffer {
        const key = Buffer.alloc(KEY_BYTES);
        writeUint64(key, this.next, 0);
        return key;
    }

    take(): void {
        this.next++;
    }

    /** At least this many were taken, although the records that took them are gone. */
    raise(next: number): void {
        this.next = Math.max(this.next, next);
    }

    /** What to go back to when the batch that is begun now fails. */
    remember(): void {
        this.remembered = this.next;
    }

    goBack(): void {
        this.next = this.remembered;
    }
}
