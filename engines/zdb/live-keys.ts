import type { CheckpointHeader, PageImage } from "./checkpoint.ts";
import { IdIndex } from "./id-index.ts";
import type { KeyIndex } from "./key-index.ts";
import { type LiveRecord, type Place, placeBytes } from "./place.ts";
import type { Mode } from "./properties.ts";
import { RECORD_HEAD_BYTES } from "./record.ts";
import { recordAt } from "./record-reader.ts";
import type { Segment } from "./segment.ts";
import type { Segments } from "./segments.ts";
import { UserIndex } from "./user-index.ts";

/** What one record did to one key. */
interface Change {
    readonly key: Uint8Array;
    readonly before: Place | undefined;
    readonly after: Place | undefined;
}

/** Which keys of a namespace have a value and where it is, what they amount to, and what becomes of that when a batch fails. */
export class LiveKeys {
    /** Of payloads. */
    liveBytes = 0;
    /** Of keys, for the size of the index. */
    keyBytes = 0;
    /** Records of values that were overwritten since the namespace was opened. */
    supersededBytes = 0;

    private readonly segments: Segments;
    private places: KeyIndex;
    private readonly undo: Change[] = [];

    constructor(segments: Segments, mode: Mode) {
        this.segments = segments;
        this.places = newIndex(mode);
    }

    get size(): number {
        return this.places.size;
    }

    /** To be copied by a checkpoint. */
    get index(): KeyIndex {
        return this.places;
    }

    /** While there is none yet. */
    setMode(mode: Mode): void {
        this.places = newIndex(mode);
    }

    /** The live value of a key; `whole` when the payload is going to be read next. Throws an Unreadable, and Cold. */
    find(key: Uint8Array, whole = false): LiveRecord | undefined {
        let record: LiveRecord | undefined;
        this.places.find(key, (place) => {
            record = recordAt(this.segments, place, key, whole);
            return record !== undefined;
        });
        return record;
    }

    /** The bytes of the key that was looked for last are not changed any more. */
    keeps(key: Uint8Array): void {
        this.places.keeps(key);
    }

    /** Whether the live value of a key is the record at this offset. */
    isLive(key: Uint8Array, segment: Segment, offset: number): boolean {
        if (this.places.has(key, { segment: segment.id, offset })) return true;
        const origin = segment.moves?.origin(offset);
        return origin !== undefined && this.places.has(key, origin);
    }

    /** Says where the value of a key is now that its record was copied; false when it is not live there any more. */
    relocate(key: Uint8Array, from: Place, to: Place): boolean {
        if (!this.places.move(key, from, to)) return false;
        this.segments.lives(from, -1);
        this.segments.lives(to, 1);
        return true;
    }

    /** A record that is in the log. */
    account(key: Uint8Array, before: Place | undefined, after: Place | undefined): void {
        if (before && after) this.places.move(key, before, after);
        else if (after) this.places.add(key, after);
        else if (before) this.places.remove(key, before);
        if (before) this.segments.lives(before, -1);
        if (before && after) this.supersededBytes += placeBytes(before);
        if (after) this.segments.lives(after, 1);
        this.liveBytes += (after?.length ?? 0) - (before?.length ?? 0);
        this.keyBytes += (after ? key.length : 0) - (before ? key.length : 0);
    }

    /** A record that was appended, and may be taken back until its batch is in the file. */
    change(key: Uint8Array, before: Place | undefined, after: Place | undefined): void {
        this.undo.push({ key, before, after });
        this.account(key, before, after);
    }

    /** A batch that fails would bring back what it superseded. */
    get mayGoBack(): boolean {
        return this.undo.length > 0;
    }

    batchWritten(): void {
        this.undo.length = 0;
    }

    batchFailed(): void {
        for (const { key, before, after } of this.undo.reverse()) this.account(key, after, before);
        this.undo.length = 0;
    }

    /** Takes over the index of a checkpoint whose segments are known; false when it does not fit. Throws an UnusableCheckpoint. */
    async restore({ mode, hashKey }: CheckpointHeader, pages: (restore: (page: PageImage) => void) => Promise<void>): Promise<boolean> {
        this.places = mode === "user" ? new UserIndex(hashKey) : new IdIndex();
        const liveBytes = new Float64Array(this.segments.highestId + 1);
        let fits = true;
        const restored = (segment: number, keyLength: number, length: number): void => {
            this.liveBytes += length;
            this.keyBytes += keyLength;
            if (segment < liveBytes.length) liveBytes[segment] = (liveBytes[segment] ?? 0) + RECORD_HEAD_BYTES + keyLength + length;
            else fits = false;
        };
        await pages((page) => {
            fits &&= this.places.restore(page, restored);
        });
        return fits && this.places.isWhole && this.segments.setLive(liveBytes);
    }
}

const newIndex = (mode: Mode): KeyIndex => (mode === "user" ? new UserIndex() : new IdIndex());
