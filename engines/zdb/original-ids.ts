import type { OriginalPlace } from "./original-log.ts";

const FIRST_CAPACITY = 1024;
const NONE = -1;

/** Where the versions of each id of a sequential namespace are, 20 bytes each. */
export class OriginalIds {
    private files = new Uint32Array(FIRST_CAPACITY);
    private offsets = new Uint32Array(FIRST_CAPACITY);
    private older = new Int32Array(FIRST_CAPACITY);
    private latest = new Int32Array(FIRST_CAPACITY).fill(NONE);
    private versions = 0;
    /** One above the highest id that was seen. */
    end = 0;

    wrote(id: number, { file, offset }: OriginalPlace): void {
        if (this.versions === this.files.length) {
            this.files = grown(this.files, this.versions * 2);
            this.offsets = grown(this.offsets, this.versions * 2);
            this.older = grown(this.older, this.versions * 2);
        }
        this.know(id);
        this.files[this.versions] = file;
        this.offsets[this.versions] = offset;
        this.older[this.versions] = this.latest[id] ?? NONE;
        this.latest[id] = this.versions++;
    }

    /** Deleted, or its newest value cannot be had. */
    gone(id: number): void {
        this.know(id);
        this.latest[id] = NONE;
    }

    /** The versions of a live id, the oldest first; empty when there is none. */
    versionsOf(id: number): OriginalPlace[] {
        const places: OriginalPlace[] = [];
        for (let version = this.latest[id] ?? NONE; version !== NONE; version = this.older[version] ?? NONE) {
            places.push({ file: this.files[version] ?? 0, offset: this.offsets[version] ?? 0 });
        }
        return places.reverse();
    }

    private know(id: number): void {
        this.end = Math.max(this.end, id + 1);
        if (id < this.latest.length) return;
        const before = this.latest.length;
        this.latest = grown(this.latest, Math.max(before * 2, id + 1));
        this.latest.fill(NONE, before);
    }
}

function grown<T extends Uint32Array | Int32Array>(from: T, capacity: number): T {
    const to = (from instanceof Uint32Array ? new Uint32Array(capacity) : new Int32Array(capacity)) as T;
    to.set(from);
    return to;
}
