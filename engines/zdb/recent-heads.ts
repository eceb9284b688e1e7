import type { Spot } from "./place.ts";
import { RECORD_HEAD_BYTES } from "./record.ts";

/** Together they take 10 MiB once they are in use, for all namespaces of a server. */
const SLOTS = 1 << 17;
const SLOT_BYTES = 64;
/** A longer key does not fit into a slot. */
const LONGEST_KEY_BYTES = SLOT_BYTES - RECORD_HEAD_BYTES;
/** Of each slot: owner (0 when it is empty), segment, offset, hash of the key. */
const WORDS = 4;
/** A key may be in any of so many slots that follow each other: their words are one line of the processor's cache. */
const WAYS = 4;

/** Made when the first record is remembered. */
let bytes = Buffer.alloc(0);
let words = new Int32Array(0);
let owners = 0;

/**
 * Heads and keys of records that were written or looked up lately, as they stand on disk: a SET of a key that is there needs to know which
 * record it supersedes, and finds it here without a system call. The newest record of a key takes the place of the one before.
 */
export class RecentHeads {
    private owner = ++owners;

    /** Records were taken back: others will be in their places. */
    forget(): void {
        this.owner = ++owners;
    }

    /** Where in `recentBytes` the head of the record at this place begins, if it is of this key; -1 when it is not remembered. */
    find(key: Uint8Array, { segment, offset }: Spot): number {
        if (key.length > LONGEST_KEY_BYTES || words.length === 0) return -1;
        const hash = hashOf(key);
        const low = offset | 0;
        const first = firstSlotOf(hash);
        for (let slot = first; slot < first + WAYS; slot++) {
            const at = slot * WORDS;
            if (words[at + 2] !== low || words[at + 1] !== segment || words[at] !== this.owner) continue;
            const start = slot * SLOT_BYTES;
            return isThere(key, start + RECORD_HEAD_BYTES) ? start : -1;
        }
        return -1;
    }

    /** The record at this place has the head that stands in `source`, followed by its key. */
    remember(key: Uint8Array, { segment, offset }: Spot, source: Buffer, from: number): void {
        if (key.length > LONGEST_KEY_BYTES) return;
        if (words.length === 0) {
            bytes = Buffer.alloc(SLOTS * SLOT_BYTES);
            words = new Int32Array(SLOTS * WORDS);
        }
        const hash = hashOf(key);
        const slot = this.slotFor(hash);
        const at = slot * WORDS;
        words[at] = this.owner;
        words[at + 1] = segment;
        words[at + 2] = offset;
        words[at + 3] = hash;
        source.copy(bytes, slot * SLOT_BYTES, from, from + RECORD_HEAD_BYTES + key.length);
    }

    /** The slot that the key has, or an empty one, or any. */
    private slotFor(hash: number): number {
        const first = firstSlotOf(hash);
        let empty = -1;
        for (let slot = first; slot < first + WAYS; slot++) {
            const owner = words[slot * WORDS];
            if (owner === this.owner && words[slot * WORDS + 3] === hash) return slot;
            if (owner === 0) empty = slot;
        }
        return empty < 0 ? first + (hash >>> 30) : empty;
    }
}

/** What `find` points into; good until the next record is remembered. */
export const recentBytes = (): Buffer => bytes;

const firstSlotOf = (hash: number): number => hash & (SLOTS - WAYS);

/** FNV-1a: who finds keys that share slots makes his own writes slower, no more. */
function hashOf(key: Uint8Array): number {
    let hash = 0x811c_9dc5 | 0;
    for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ (key[at] ?? 0), 0x0100_0193);
    return hash ^ (hash >>> 16);
}

function isThere(key: Uint8Array, at: number): boolean {
    for (let place = 0; place < key.length; place++) if (key[place] !== bytes[at + place]) return false;
    return true;
}
