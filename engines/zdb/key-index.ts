/** Where a payload is and what it must read as: all the index keeps of a value. */
export interface Position {
    readonly segment: number;
    /** Offset of the payload in its segment. */
    readonly offset: number;
    readonly length: number;
    readonly checksum: number;
    readonly lsn: number;
}

/** Where the live value of each key is. Keys are latin1 strings of the raw bytes. */
export interface KeyIndex {
    readonly size: number;
    get(key: string): Position | undefined;
    set(key: string, position: Position): void;
    delete(key: string): void;
}

const FIRST_CAPACITY = 64;

/**
 * A Map from key to slot, with the fields of a slot in typed arrays: no object per key, 28 bytes beside the Map's own entry.
 */
export class MapIndex implements KeyIndex {
    private readonly slots = new Map<string, number>();
    private readonly free: number[] = [];
    private segments = new Uint32Array(FIRST_CAPACITY);
    private offsets = new Uint32Array(FIRST_CAPACITY);
    private lengths = new Uint32Array(FIRST_CAPACITY);
    private checksums = new Uint32Array(FIRST_CAPACITY);
    private lsns = new Float64Array(FIRST_CAPACITY);
    private used = 0;

    get size(): number {
        return this.slots.size;
    }

    get(key: string): Position | undefined {
        const slot = this.slots.get(key);
        if (slot === undefined) return undefined;
        return {
            segment: this.segments[slot] ?? 0,
            offset: this.offsets[slot] ?? 0,
            length: this.lengths[slot] ?? 0,
            checksum: this.checksums[slot] ?? 0,
            lsn: this.lsns[slot] ?? 0,
        };
    }

    set(key: string, position: Position): void {
        let slot = this.slots.get(key);
        if (slot === undefined) {
            slot = this.free.pop() ?? this.newSlot();
            this.slots.set(key, slot);
        }
        this.segments[slot] = position.segment;
        this.offsets[slot] = position.offset;
        this.lengths[slot] = position.length;
        this.checksums[slot] = position.checksum;
        this.lsns[slot] = position.lsn;
    }

    delete(key: string): void {
        const slot = this.slots.get(key);
        if (slot === undefined) return;
        this.slots.delete(key);
        this.free.push(slot);
    }

    private newSlot(): number {
        if (this.used === this.segments.length) this.grow(this.used * 2);
        return this.used++;
    }

    private grow(capacity: number): void {
        this.segments = copyOf(this.segments, new Uint32Array(capacity));
        this.offsets = copyOf(this.offsets, new Uint32Array(capacity));
        this.lengths = copyOf(this.lengths, new Uint32Array(capacity));
        this.checksums = copyOf(this.checksums, new Uint32Array(capacity));
        this.lsns = copyOf(this.lsns, new Float64Array(capacity));
    }
}

function copyOf<T extends Uint32Array | Float64Array>(from: T, to: T): T {
    to.set(from);
    return to;
}
