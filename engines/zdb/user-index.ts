import type { PageImage } from "./checkpoint.ts";
import { FIRST_PAGE_SLOTS, IndexPage, PAGE_SLOTS } from "./index-page.ts";
import { type HashKey, hashOf, newHashKey } from "./key-hash.ts";
import type { KeyIndex, Restored } from "./key-index.ts";
import type { Place, Spot } from "./place.ts";

const TWO_TO_32 = 0x1_0000_0000;
const HIGHEST_BIT = 1 << 31;
/** Pages deeper than this grow instead of being split: 3 billion keys are below. */
const MOST_DEPTH = 20;

/**
 * The index of user mode: 16 bytes a slot, in pages that are split one by one when they are full (extendible hashing), so that no
 * step takes long however many keys there are.
 */
export class UserIndex implements KeyIndex {
    readonly mode = "user";
    size = 0;
    readonly hashKey: HashKey;
    /** The page of each beginning of a tag; pages that are not as deep as the directory stand in it several times. */
    private directory: IndexPage[] = [IndexPage.empty(0, FIRST_PAGE_SLOTS)];
    private depth = 0;
    /** Tag of the key that was looked for last, and the key itself when its bytes stay. */
    private lastTag = 0;
    private lastKey: Uint8Array | undefined;
    /** Where the next page to be restored begins; the end when nothing is restored. */
    private restoredTo = TWO_TO_32;

    constructor(hashKey: HashKey = newHashKey()) {
        this.hashKey = hashKey;
    }

    find(key: Uint8Array, isThere: (place: Place) => boolean): Place | undefined {
        const tag = this.tagOf(key);
        this.lastTag = tag;
        this.lastKey = undefined;
        const page = this.pageOf(tag);
        for (let slot = page.first(tag, key.length); slot >= 0; slot = page.next(tag, key.length, page.after(slot))) {
            const place = page.placeAt(slot);
            if (isThere(place)) return place;
        }
        return undefined;
    }

    keeps(key: Uint8Array): void {
        this.lastKey = key;
    }

    has(key: Uint8Array, spot: Spot): boolean {
        const tag = this.tagOf(key);
        return this.pageOf(tag).slotOf(tag, spot) >= 0;
    }

    add(key: Uint8Array, place: Place): void {
        const tag = key === this.lastKey ? this.lastTag : this.tagOf(key);
        let page = this.pageOf(tag);
        while (page.isFull) {
            this.makeRoom(page, tag);
            page = this.pageOf(tag);
        }
        page.add(tag, place);
        this.size++;
    }

    move(key: Uint8Array, from: Spot, to: Place): boolean {
        const tag = key === this.lastKey ? this.lastTag : this.tagOf(key);
        const page = this.pageOf(tag);
        const slot = page.slotOf(tag, from);
        if (slot < 0) return false;
        page.put(slot, tag, to);
        return true;
    }

    remove(key: Uint8Array, from: Spot): boolean {
        const tag = key === this.lastKey ? this.lastTag : this.tagOf(key);
        const page = this.pageOf(tag);
        const slot = page.slotOf(tag, from);
        if (slot < 0) return false;
        page.clear(slot);
        this.size--;
        return true;
    }

    get isWhole(): boolean {
        return this.restoredTo === TWO_TO_32;
    }

    /** By the beginnings of tags, which stay where they are when pages are split. */
    *images(): Generator<PageImage> {
        for (let position = 0; position < TWO_TO_32; ) {
            const { depth, words } = this.pageOf(position);
            yield { position, depth, words };
            position += 2 ** (32 - depth);
        }
    }

    restore({ position, depth, words }: PageImage, restored: Restored): boolean {
        const expected = this.size === 0 && this.isWhole ? 0 : this.restoredTo;
        const span = 2 ** (32 - depth);
        if (depth > MOST_DEPTH || position !== expected || position % span !== 0) return false;
        const page = IndexPage.restored(depth, words, restored);
        if (!page) return false;
        while (this.depth < depth) this.doubleDirectory();
        const first = position === 0 ? 0 : position / 2 ** (32 - this.depth);
        this.directory.fill(page, first, first + 2 ** (this.depth - depth));
        this.size += page.count;
        this.restoredTo = position + span;
        return true;
    }

    /**
     * The hash, stretched so that tags are twice as dense at the end of their range as at its beginning. With an even spread all pages
     * would fill up, and be split, at the same time, and be half empty just after that; so there are fuller and emptier ones at any time.
     * Only operations that every runtime rounds alike: tags are stored in checkpoints.
     */
    private tagOf(key: Uint8Array): number {
        const stretched = Math.sqrt(1 + (3 * hashOf(key, this.hashKey)) / TWO_TO_32);
        // Half the range less, then the highest bit again: a signed word without a detour.
        return Math.floor((stretched - 1.5) * TWO_TO_32) ^ HIGHEST_BIT;
    }

    private pageOf(tag: number): IndexPage {
        const page = this.directory[this.depth === 0 ? 0 : tag >>> (32 - this.depth)];
        if (!page) throw new Error("the directory of the index has a gap");
        return page;
    }

    private doubleDirectory(): void {
        this.directory = this.directory.flatMap((each) => [each, each]);
        this.depth++;
    }

    private makeRoom(page: IndexPage, tag: number): void {
        if (page.slots < PAGE_SLOTS || page.depth === MOST_DEPTH) {
            page.grow();
            return;
        }
        if (page.depth === this.depth) {
            this.doubleDirectory();
        }
        const sibling = page.split();
        // Both halves stand in as many places of the directory, side by side.
        const span = 2 ** (this.depth - sibling.depth);
        const place = tag >>> (32 - this.depth);
        const first = place - (place % (2 * span));
        this.directory.fill(sibling, first + span, first + 2 * span);
    }
}
