import type { PageImage } from "./checkpoint.ts";
import type { KeyIndex, Restored } from "./key-index.ts";
import type { Place, Spot } from "./place.ts";
import { ID_KEY_BYTES, idOfKey } from "./sequential-ids.ts";

/** Segment (0 when absent), offset, payload length. */
const WORDS = 3;
const PAGE_IDS = 4096;

interface IdPage {
    readonly words: Int32Array;
    count: number;
}

/** The index of sequential mode: 12 bytes for each id, in pages; those without a live id take nothing. */
export class IdIndex implements KeyIndex {
    readonly mode = "seq";
    readonly hashKey = { low: 0, high: 0 };
    readonly isWhole = true;
    size = 0;
    private readonly pages = new Map<number, IdPage>();

    find(key: Uint8Array, isThere: (place: Place) => boolean): Place | undefined {
        const place = this.placeOf(idOfKey(key));
        return place && isThere(place) ? place : undefined;
    }

    keeps(): void {
        // An id is read off its key.
    }

    has(key: Uint8Array, { segment, offset }: Spot): boolean {
        const place = this.placeOf(idOfKey(key));
        return place?.segment === segment && place.offset === offset;
    }

    add(key: Uint8Array, place: Place): void {
        const id = idOfKey(key);
        if (id === undefined) throw new Error("a key of sequential mode is no id");
        const number = Math.floor(id / PAGE_IDS);
        let page = this.pages.get(number);
        if (!page) {
            page = { words: new Int32Array(PAGE_IDS * WORDS), count: 0 };
            this.pages.set(number, page);
        }
        put(page, id, place);
        page.count++;
        this.size++;
    }

    move(key: Uint8Array, from: Spot, to: Place): boolean {
        const id = idOfKey(key);
        const page = this.pageOf(id);
        if (id === undefined || !page || !this.has(key, from)) return false;
        put(page, id, to);
        return true;
    }

    remove(key: Uint8Array, from: Spot): boolean {
        const id = idOfKey(key);
        const page = this.pageOf(id);
        if (id === undefined || !page || !this.has(key, from)) return false;
        const at = (id % PAGE_IDS) * WORDS;
        page.words.fill(0, at, at + WORDS);
        page.count--;
        this.size--;
        if (page.count === 0) this.pages.delete(Math.floor(id / PAGE_IDS));
        return true;
    }

    /** Pages that come later hold later records only. */
    *images(): Generator<PageImage> {
        for (const position of [...this.pages.keys()]) {
            const page = this.pages.get(position);
            if (page) yield { position, depth: 0, words: page.words };
        }
    }

    restore({ position, words }: PageImage, restored: Restored): boolean {
        if (words.length !== PAGE_IDS * WORDS || this.pages.has(position)) return false;
        let count = 0;
        for (let at = 0; at < words.length; at += WORDS) {
            const segment = words[at] ?? 0;
            if (segment === 0) continue;
            restored(segment, ID_KEY_BYTES, words[at + 2] ?? 0);
            count++;
        }
        if (count > 0) this.pages.set(position, { words, count });
        this.size += count;
        return true;
    }

    private pageOf(id: number | undefined): IdPage | undefined {
        return id === undefined ? undefined : this.pages.get(Math.floor(id / PAGE_IDS));
    }

    private placeOf(id: number | undefined): Place | undefined {
        const page = this.pageOf(id);
        return page && id !== undefined ? placeAt(page.words, (id % PAGE_IDS) * WORDS) : undefined;
    }
}

function placeAt(words: Int32Array, at: number): Place | undefined {
    const segment = words[at] ?? 0;
    if (segment === 0) return undefined;
    return { segment, offset: (words[at + 1] ?? 0) >>> 0, keyLength: ID_KEY_BYTES, length: words[at + 2] ?? 0 };
}

function put({ words }: IdPage, id: number, { segment, offset, length }: Place): void {
    const at = (id % PAGE_IDS) * WORDS;
    words[at] = segment;
    words[at + 1] = offset;
    words[at + 2] = length;
}
