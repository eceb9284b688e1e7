import type { PageImage } from "./checkpoint.ts";
import type { HashKey } from "./key-hash.ts";
import type { Place, Spot } from "./place.ts";
import type { Mode } from "./properties.ts";

/** Told of each entry that is restored. */
export type Restored = (segment: number, keyLength: number, length: number) => void;

/**
 * Where the live value of each key is. Keys are in the log only: an index may know a few places where a key could be, and the
 * caller looks there.
 */
export interface KeyIndex {
    readonly mode: Mode;
    readonly size: number;
    readonly hashKey: HashKey;
    /** The place of the key. `isThere` is asked about places where it may be, until it says yes. */
    find(key: Uint8Array, isThere: (place: Place) => boolean): Place | undefined;
    /** The bytes of the key that was looked for last are not changed any more: when it is written next, what was reckoned of it still holds. */
    keeps(key: Uint8Array): void;
    /** Whether the key is at exactly this spot. */
    has(key: Uint8Array, spot: Spot): boolean;
    /** Adds a key that is not there. */
    add(key: Uint8Array, place: Place): void;
    /** Moves a key from exactly this place to another; false when it is not there. */
    move(key: Uint8Array, from: Spot, to: Place): boolean;
    /** Removes a key from exactly this place; false when it is not there. */
    remove(key: Uint8Array, from: Spot): boolean;
    /** Its pages, to be copied before the next step; the index may change between steps. */
    images(): Iterable<PageImage>;
    /** Takes over the next page of an empty index; false when it does not fit. */
    restore(page: PageImage, restored: Restored): boolean;
    /** Whether all of its pages were there. */
    readonly isWhole: boolean;
}
