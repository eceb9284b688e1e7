import { PinnedBytes } from "./sockets.ts";

const CARRIAGE_RETURN = 13;
const ZERO = 0x30;
const MINUS = 0x2d;
const BULK = 0x24;
const ARRAY = 0x2a;

/** What one answer, or one element of an answer, was. Bulk strings end behind their value. */
export type Answer = "none" | "nil" | "bulk" | "array" | "line" | "error";

/** The answers to one client, one after the other, however the network cut them. */
export class Answers {
    readonly memory: PinnedBytes;
    private start = 0;
    private end = 0;
    /** Bytes still to come of a bulk string that is too large to be kept. */
    private dropped = 0;
    /** Of the bulk string, or the line behind its first byte, that was found last. Of an array the count of its elements. */
    at = 0;
    length = 0;

    constructor(bytes: number) {
        this.memory = new PinnedBytes(bytes);
    }

    /** Where to receive to. */
    get address(): number {
        return this.memory.address + this.end;
    }

    /** How much may be received now. */
    get room(): number {
        return this.memory.bytes.length - this.end;
    }

    arrived(count: number): void {
        this.end += count;
    }

    /** Moves on by one answer, or element; "none" when it is not complete. */
    next(): Answer {
        const { bytes } = this.memory;
        if (this.dropped > 0) return this.drop() ? "bulk" : this.compact();
        const from = this.start;
        let at = from + 1;
        while (at < this.end && bytes[at] !== CARRIAGE_RETURN) at++;
        if (at + 2 > this.end) return this.compact();
        const type = bytes[from];
        if (type !== BULK && type !== ARRAY) {
            this.at = from + 1;
            this.length = at - this.at;
            this.start = at + 2;
            return type === MINUS ? "error" : "line";
        }
        if (bytes[from + 1] === MINUS) {
            this.start = at + 2;
            return "nil";
        }
        let length = 0;
        for (let place = from + 1; place < at; place++) length = length * 10 + (bytes[place] ?? 0) - ZERO;
        this.length = length;
        if (type === ARRAY) {
            this.start = at + 2;
            return "array";
        }
        this.at = at + 2;
        if (this.at + length + 2 > this.end) {
            if (length + 32 < bytes.length) return this.compact();
            this.start = this.at;
            this.dropped = length + 2;
            return this.drop() ? "bulk" : this.compact();
        }
        this.start = this.at + length + 2;
        return "bulk";
    }

    /** Passes over a value that is not kept; whether all of it was there. */
    private drop(): boolean {
        const here = Math.min(this.dropped, this.end - this.start);
        this.start += here;
        this.dropped -= here;
        return this.dropped === 0;
    }

    private compact(): "none" {
        const { bytes } = this.memory;
        if (this.start > 0) bytes.copyWithin(0, this.start, this.end);
        this.end -= this.start;
        this.start = 0;
        return "none";
    }
}
