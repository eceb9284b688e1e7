import type { Gate } from "./gate.ts";
import { ATTACHED_BYTES, OUTPUT_KEEP_BYTES } from "./limits.ts";

const FIRST_BYTES = 4096;
/** Type byte, digits, line ends: more than any header takes. */
const HEADER_BYTES = 32;
const MOST_UNSIGNED_32 = 0xffff_ffff;
const COLON = 0x3a;
const ASTERISK = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;
const CARRIAGE_RETURN = 13;
const NEWLINE = 10;
const OK = Buffer.from("+OK\r\n", "latin1");
const NIL = Buffer.from("$-1\r\n", "latin1");
const LINE_END = Buffer.from("\r\n", "latin1");
const EMPTY = Buffer.alloc(0);
const NOTHING: readonly Buffer[] = [];

/** A reply that must not be sent before its log has acknowledged what it tells. */
interface GatedReply {
    readonly from: number;
    to: number;
    readonly gate: Gate;
}

/** The answer is larger than what there is room for now. Thrown before anything was changed: only values are that large. */
export class NoRoom extends Error {}

/** The replies of one connection on their way out, in order: in one buffer, but for large values. */
export class ReplyBuffer {
    private bytes: Buffer = EMPTY;
    private length = 0;
    /** What comes before `bytes`: parts that are complete, large values among them as they were read. */
    private sealed: Buffer[] = [];
    private sealedBytes = 0;
    private lent: Buffer = EMPTY;
    /** What was taken of `lent` last. Answers of one client are often equally long, and making another view of them is seen in the profile. */
    private view: Buffer = EMPTY;
    private gated: GatedReply[] = [];
    /** A bulk that would make more than this throws NoRoom. */
    allowance = Number.POSITIVE_INFINITY;

    get size(): number {
        return this.sealedBytes + this.length;
    }

    /** Something waits for a log. */
    get isHeld(): boolean {
        return this.gated.length > 0;
    }

    ok(): void {
        this.raw(OK);
    }

    nil(): void {
        this.raw(NIL);
    }

    status(text: string): void {
        this.line(`+${text}`);
    }

    error(text: string): void {
        this.line(`-${text.replace(/[\r\n]+/g, " ")}`);
    }

    integer(value: number): void {
        this.header(COLON, value);
    }

    array(count: number): void {
        this.header(ASTERISK, count);
    }

    bulk(payload: Uint8Array): void {
        const at = this.beginBulk(payload.length);
        this.bytes.set(payload, at);
        this.endBulk(payload.length);
    }

    /** A bulk reply of bytes that nobody changes any more: they are not copied when that takes long. It must not be held. */
    attach(payload: Buffer): void {
        if (payload.length < ATTACHED_BYTES || this.gated.length > 0) {
            this.bulk(payload);
            return;
        }
        this.beginBulk(payload.length, 0);
        this.sealed.push(this.bytes.subarray(0, this.length), payload);
        this.sealedBytes += this.length + payload.length;
        this.bytes = EMPTY;
        this.length = 0;
        this.raw(LINE_END);
    }

    /** A bulk reply that is a part of something longer. */
    bulkFrom(source: Buffer, from: number, length: number): void {
        const at = this.beginBulk(length);
        source.copy(this.bytes, at, from, from + length);
        this.endBulk(length);
    }

    text(text: string): void {
        this.bulk(Buffer.from(text, "latin1"));
    }

    /** A bulk reply filled by `fill`, which gets the place to write to; when it cannot, nothing is added and the result is false. */
    filledBulk(length: number, fill: (target: Buffer, at: number) => boolean): boolean {
        const before = this.length;
        const at = this.beginBulk(length);
        if (fill(this.bytes, at)) {
            this.endBulk(length);
            return true;
        }
        this.length = before;
        return false;
    }

    /** Takes back everything from `size` on: a command that failed half-way answers with its error only. */
    rewind(size: number): void {
        while (this.sealedBytes > size) {
            const last = this.sealed.pop() ?? EMPTY;
            this.sealedBytes -= last.length;
            this.bytes = last;
            this.length = last.length;
        }
        this.length = size - this.sealedBytes;
        if (this.gated.length > 0) this.gated = this.gated.filter(({ to }) => to <= this.length);
    }

    /** Holds what was added since `from` until the gate opens. */
    hold(from: number, gate: Gate): void {
        this.gated.push({ from: from - this.sealedBytes, to: this.length, gate });
    }

    /** Takes out what comes first, if there is any: parts that nobody changes any more. */
    takeSealed(): readonly Buffer[] {
        if (this.sealedBytes === 0) return NOTHING;
        const { sealed } = this;
        this.sealed = [];
        this.sealedBytes = 0;
        return sealed;
    }

    /** Takes out what may be sent now of the rest: up to the first reply that still waits. Failed ones have become errors. */
    take(): Buffer {
        const ready = this.open();
        const { bytes } = this;
        const rest = this.length - ready;
        this.bytes = EMPTY;
        this.length = 0;
        if (this.lent !== bytes || this.view.length !== ready) this.view = bytes.subarray(0, ready);
        this.lent = bytes;
        if (rest > 0) {
            this.makeRoom(rest);
            this.length = bytes.copy(this.bytes, 0, ready, ready + rest);
            this.gated = this.gated.map(({ from, to, gate }) => ({ from: from - ready, to: to - ready, gate }));
        }
        return this.view;
    }

    /** The kernel has copied what was taken: the buffer may be written to again. */
    reuse(): void {
        if (this.bytes.length === 0 && this.lent.length <= OUTPUT_KEEP_BYTES) this.bytes = this.lent;
    }

    private open(): number {
        while (this.gated.length > 0) {
            const [first] = this.gated;
            if (!first) break;
            const verdict = first.gate.keeper.passes(first.gate);
            if (verdict === false) return first.from;
            if (verdict !== true) this.replace(first, `-${verdict.failure}\r\n`);
            this.gated.shift();
        }
        return this.length;
    }

    /** Puts an error in the place of a reply and moves what follows. */
    private replace(reply: GatedReply, error: string): void {
        const { from, to } = reply;
        const after = Buffer.concat([this.bytes.subarray(0, from), Buffer.from(error, "latin1"), this.bytes.subarray(to, this.length)]);
        const shift = after.length - this.length;
        this.bytes = after;
        this.length = after.length;
        this.gated = this.gated.map((other) =>
            other === reply ? other : { from: other.from + shift, to: other.to + shift, gate: other.gate },
        );
    }

    private beginBulk(length: number, room = length): number {
        if (this.size + length > this.allowance) throw new NoRoom();
        this.makeRoom(room + HEADER_BYTES);
        this.header(DOLLAR, length);
        return this.length;
    }

    /** A type byte and a number. */
    private header(type: number, value: number): void {
        if (value < 0 || value > MOST_UNSIGNED_32) {
            this.line(`${String.fromCharCode(type)}${value}`);
            return;
        }
        this.makeRoom(HEADER_BYTES);
        const { bytes } = this;
        let at = this.length;
        bytes[at++] = type;
        let unit = 1;
        while (unit * 10 <= value) unit *= 10;
        for (let rest = value; unit >= 1; unit = Math.floor(unit / 10)) {
            const digit = Math.floor(rest / unit);
            bytes[at++] = ZERO + digit;
            rest -= digit * unit;
        }
        bytes[at++] = CARRIAGE_RETURN;
        bytes[at++] = NEWLINE;
        this.length = at;
    }

    private endBulk(length: number): void {
        this.length += length;
        this.bytes[this.length++] = CARRIAGE_RETURN;
        this.bytes[this.length++] = NEWLINE;
    }

    private line(text: string): void {
        this.makeRoom(text.length + 2);
        this.length += this.bytes.write(text, this.length, "latin1");
        this.bytes[this.length++] = CARRIAGE_RETURN;
        this.bytes[this.length++] = NEWLINE;
    }

    private raw(bytes: Buffer): void {
        this.makeRoom(bytes.length);
        this.bytes.set(bytes, this.length);
        this.length += bytes.length;
    }

    private makeRoom(more: number): void {
        const needed = this.length + more;
        if (needed <= this.bytes.length) return;
        const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2, FIRST_BYTES));
        this.bytes.copy(grown, 0, 0, this.length);
        this.bytes = grown;
    }
}
