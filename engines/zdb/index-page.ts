import type { Restored } from "./key-index.ts";
import type { Place, Spot } from "./place.ts";

/** A slot is four words: tag, segment (0 when empty), offset, and payload length with key length. Signed words: runtimes reckon faster with them. */
const WORDS = 4;
const SEGMENT = 1;
const OFFSET = 2;
const LENGTHS = 3;
/** A payload is at most 8 MiB + 64, so that eight bits are left for the key length. */
const KEY_LENGTH_SHIFT = 24;
const PAYLOAD_LENGTH_MASK = 0xff_ffff;

export const FIRST_PAGE_SLOTS = 16;
/** A full page has this many; then it is split. Moving its entries takes well below a millisecond. */
export const PAGE_SLOTS = 4096;
/** Beyond it, chains of a table with linear probing grow long. */
const MOST_FILLED = 0.85;

/** The golden ratio times 2^32: spreads tags over the slots, although those of one page begin with the same bits. */
const SPREAD = 0x9e37_79b1 | 0;
/** Bits 16 and up of the product, times four words. */
const HOME_SHIFT = 14;

/** What a page holds while it is split. */
const scratch = new Int32Array(PAGE_SLOTS * WORDS);

/**
 * A small hash table with open addressing. Tags say where in it an entry belongs, so entries can be moved without their keys.
 * `slot` results are the first word of a slot.
 */
export class IndexPage {
    /** How many leading bits the tags of this page have in common. */
    depth: number;
    count = 0;
    words: Int32Array;
    private mask: number;
    private most: number;

    constructor(depth: number, words: Int32Array) {
        this.depth = depth;
        this.words = words;
        this.mask = words.length - WORDS;
        this.most = Math.floor((words.length / WORDS) * MOST_FILLED);
    }

    static empty(depth: number, slots: number): IndexPage {
        return new IndexPage(depth, new Int32Array(slots * WORDS));
    }

    /** Words of a page as they were copied; undefined when they are none. */
    static restored(depth: number, words: Int32Array, restored: Restored): IndexPage | undefined {
        const page = new IndexPage(depth, words);
        if (page.slots < FIRST_PAGE_SLOTS || 2 ** Math.round(Math.log2(page.slots)) !== page.slots) return undefined;
        for (let at = 0; at < words.length; at += WORDS) {
            const segment = words[at + SEGMENT] ?? 0;
            if (segment === 0) continue;
            const lengths = words[at + LENGTHS] ?? 0;
            restored(segment, lengths >>> KEY_LENGTH_SHIFT, lengths & PAYLOAD_LENGTH_MASK);
            page.count++;
        }
        return page.count < page.slots ? page : undefined;
    }

    get slots(): number {
        return this.words.length / WORDS;
    }

    get isFull(): boolean {
        return this.count >= this.most;
    }

    /** The next slot with this tag at or after the one given, -1 when there is none. */
    next(tag: number, keyLength: number, slot: number): number {
        const { words, mask } = this;
        for (let at = slot; words[at + SEGMENT] !== 0; at = (at + WORDS) & mask) {
            if (words[at] === tag && (words[at + LENGTHS] ?? 0) >>> KEY_LENGTH_SHIFT === keyLength) return at;
        }
        return -1;
    }

    first(tag: number, keyLength: number): number {
        return this.next(tag, keyLength, this.home(tag));
    }

    /** The slot that a search looks at next. */
    after(slot: number): number {
        return (slot + WORDS) & this.mask;
    }

    /** The slot with exactly this place, -1 when there is none. */
    slotOf(tag: number, { segment, offset }: Spot): number {
        const { words, mask } = this;
        const low = offset | 0;
        for (let at = this.home(tag); words[at + SEGMENT] !== 0; at = (at + WORDS) & mask) {
            if (words[at + OFFSET] === low && words[at + SEGMENT] === segment) return at;
        }
        return -1;
    }

    placeAt(slot: number): Place {
        const { words } = this;
        const lengths = words[slot + LENGTHS] ?? 0;
        return {
            segment: words[slot + SEGMENT] ?? 0,
            offset: (words[slot + OFFSET] ?? 0) >>> 0,
            keyLength: lengths >>> KEY_LENGTH_SHIFT,
            length: lengths & PAYLOAD_LENGTH_MASK,
        };
    }

    add(tag: number, place: Place): void {
        this.put(this.freeSlot(tag), tag, place);
        this.count++;
    }

    put(slot: number, tag: number, { segment, offset, keyLength, length }: Place): void {
        const { words } = this;
        words[slot] = tag;
        words[slot + SEGMENT] = segment;
        words[slot + OFFSET] = offset;
        words[slot + LENGTHS] = (keyLength << KEY_LENGTH_SHIFT) | length;
    }

    /** Empties a slot and moves up the entries that a search would no longer reach. */
    clear(slot: number): void {
        const { words, mask } = this;
        let hole = slot;
        for (let at = (slot + WORDS) & mask; words[at + SEGMENT] !== 0; at = (at + WORDS) & mask) {
            const home = this.home(words[at] ?? 0);
            if (((at - home) & mask) < ((at - hole) & mask)) continue;
            words.copyWithin(hole, at, at + WORDS);
            hole = at;
        }
        words.fill(0, hole, hole + WORDS);
        this.count--;
    }

    /** Twice the room, everything in its new slot. */
    grow(): void {
        const { words } = this;
        this.words = new Int32Array(words.length * 2);
        this.mask = this.words.length - WORDS;
        this.most = Math.floor(this.slots * MOST_FILLED);
        this.count = 0;
        for (let at = 0; at < words.length; at += WORDS) if (words[at + SEGMENT] !== 0) this.copySlot(words, at);
    }

    /** Gives the entries whose next bit is set to a new page of the same size. */
    split(): IndexPage {
        const sibling = IndexPage.empty(this.depth + 1, this.slots);
        scratch.set(this.words);
        this.words.fill(0);
        this.count = 0;
        this.depth++;
        const bit = 32 - this.depth;
        for (let at = 0; at < scratch.length; at += WORDS) {
            if (scratch[at + SEGMENT] === 0) continue;
            if (((scratch[at] ?? 0) >>> bit) & 1) sibling.copySlot(scratch, at);
            else this.copySlot(scratch, at);
        }
        return sibling;
    }

    private copySlot(from: Int32Array, at: number): void {
        const { words } = this;
        const tag = from[at] ?? 0;
        const slot = this.freeSlot(tag);
        words[slot] = tag;
        words[slot + SEGMENT] = from[at + SEGMENT] ?? 0;
        words[slot + OFFSET] = from[at + OFFSET] ?? 0;
        words[slot + LENGTHS] = from[at + LENGTHS] ?? 0;
        this.count++;
    }

    private freeSlot(tag: number): number {
        const { words, mask } = this;
        let at = this.home(tag);
        while (words[at + SEGMENT] !== 0) at = (at + WORDS) & mask;
        return at;
    }

    private home(tag: number): number {
        return (Math.imul(tag, SPREAD) >>> HOME_SHIFT) & this.mask;
    }
}
