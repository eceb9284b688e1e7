import { placeOf } from "./rising-numbers.ts";

/** Where the records of a rewritten segment were before, while the index still knows some of them there. */
export class RecordMoves {
    private readonly ids: number[];
    private segments = new Uint16Array(1024);
    private from = new Uint32Array(1024);
    private to = new Uint32Array(1024);
    private used = 0;

    /** `ids` of the segments that are rewritten. */
    constructor(ids: readonly number[]) {
        this.ids = [...ids];
    }

    /** Records come in the order of their new offsets. */
    add(segment: number, from: number, to: number): void {
        if (this.used === this.from.length) this.grow();
        this.segments[this.used] = this.ids.indexOf(segment);
        this.from[this.used] = from;
        this.to[this.used] = to;
        this.used++;
    }

    /** Where the record at this new offset was; undefined when it was not moved. */
    origin(to: number): { readonly segment: number; readonly offset: number } | undefined {
        const place = placeOf(to, this.to, this.used);
        if (place === undefined) return undefined;
        const segment = this.ids[this.segments[place] ?? 0];
        return segment === undefined ? undefined : { segment, offset: this.from[place] ?? 0 };
    }

    private grow(): void {
        const capacity = this.used * 2;
        const [segments, from, to] = [this.segments, this.from, this.to];
        this.segments = new Uint16Array(capacity);
        this.from = new Uint32Array(capacity);
        this.to = new Uint32Array(capacity);
        this.segments.set(segments);
        this.from.set(from);
        this.to.set(to);
    }
}
