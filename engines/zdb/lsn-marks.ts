/** A mark is set after this many bytes of log. */
const BYTES_BETWEEN_MARKS = 64 * 1024;
const FIRST_CAPACITY = 4;

/** Where some records of a segment begin, so that a search for an LSN need not read it from its start. */
export class LsnMarks {
    private lsns = new Float64Array(FIRST_CAPACITY);
    private offsets = new Float64Array(FIRST_CAPACITY);
    private used = 0;

    get count(): number {
        return this.used;
    }

    lsn(place: number): number {
        return this.lsns[place] ?? 0;
    }

    offset(place: number): number {
        return this.offsets[place] ?? 0;
    }

    /** A record with this LSN begins at this offset. Records come in order. */
    saw(lsn: number, offset: number): void {
        const { used } = this;
        if (used > 0 && offset - this.offset(used - 1) < BYTES_BETWEEN_MARKS) return;
        if (used === this.lsns.length) this.grow();
        this.lsns[used] = lsn;
        this.offsets[used] = offset;
        this.used++;
    }

    /** Forgets records at or behind this offset: they were taken back. */
    cut(offset: number): void {
        while (this.used > 0 && this.offset(this.used - 1) >= offset) this.used--;
    }

    /** The last mark at or before this LSN; the first one when there is none. */
    find(lsn: number): number {
        let low = 0;
        let high = Math.max(0, this.used - 1);
        while (low < high) {
            const middle = (low + high + 1) >>> 1;
            if (this.lsn(middle) <= lsn) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    private grow(): void {
        const capacity = this.used * 2;
        this.lsns = copied(this.lsns, capacity);
        this.offsets = copied(this.offsets, capacity);
    }
}

function copied(from: Float64Array<ArrayBuffer>, capacity: number): Float64Array<ArrayBuffer> {
    const to = new Float64Array(capacity);
    to.set(from);
    return to;
}
