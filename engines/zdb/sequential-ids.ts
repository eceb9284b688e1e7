import { writeUint64 } from "./record.ts";

export const ID_KEY_BYTES = 8;
const TWO_TO_32 = 0x1_0000_0000;
const MAX_HIGH_WORD = Math.floor(Number.MAX_SAFE_INTEGER / TWO_TO_32);

/** The ids of sequential mode: every value written takes one, an update too, and none ever comes back. */
export class SequentialIds {
    next = 0;
    private remembered = 0;

    /** Key of the next new value: the id, little-endian. */
    nextKey(): Buffer {
        const key = Buffer.alloc(ID_KEY_BYTES);
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

/** The id a key stands for; undefined when it is none that can have been given out. */
export function idOfKey(key: Uint8Array): number | undefined {
    if (key.length !== ID_KEY_BYTES) return undefined;
    const view = new DataView(key.buffer, key.byteOffset, ID_KEY_BYTES);
    const high = view.getUint32(4, true);
    return high > MAX_HIGH_WORD ? undefined : high * TWO_TO_32 + view.getUint32(0, true);
}
