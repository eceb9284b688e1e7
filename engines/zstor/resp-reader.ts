/** A reply of the Redis protocol. */
export type Reply = Buffer | string | number | undefined | RefusalReply | readonly Reply[];

/** `-text`. */
export class RefusalReply {
    readonly text: string;

    constructor(text: string) {
        this.text = text;
    }
}

/** What came is no reply: the connection is of no use any more. */
export class ProtocolError extends Error {}

const NEWLINE = 10;
const RETURN = 13;
/** Longest value a Zero-DB gives, and the longest line. */
const MOST_BULK_BYTES = 16 * 2 ** 20;
const MOST_LINE_BYTES = 64 * 1024;
const MOST_ITEMS = 100_000;
/** Longest whole reply, which is held until its end has come: a list of long values is none that a Zero-DB gives. */
const MOST_REPLY_BYTES = MOST_BULK_BYTES + MOST_LINE_BYTES;
const DEEPEST = 4;
/** From here on a value is read straight into its own buffer. */
const LARGE_BYTES = 32 * 1024;

/** Takes bytes as they come and gives whole replies; a large value is copied once. */
export class RespReader {
    private rest: Buffer = Buffer.alloc(0);
    private large: { readonly target: Buffer; filled: number } | undefined;
    /** Fewer bytes than this hold no whole reply. */
    private needed = 1;
    private readonly take: (reply: Reply) => void;

    constructor(take: (reply: Reply) => void) {
        this.take = take;
    }

    push(bytes: Buffer): void {
        let fresh = this.fillLarge(bytes);
        if (fresh.length === 0) return;
        if (this.rest.length > 0) fresh = Buffer.concat([this.rest, fresh]);
        let at = 0;
        while (at < fresh.length && fresh.length - at >= this.needed) {
            const parsed = parse(fresh, at, 0);
            if (parsed.end === undefined) {
                if (this.beginLarge(fresh, at)) return;
                this.needed = parsed.needed - at;
                if (this.needed > MOST_REPLY_BYTES) throw new ProtocolError("a reply is too long");
                break;
            }
            this.needed = 1;
            at = parsed.end;
            this.take(parsed.reply);
        }
        this.rest = fresh.subarray(at);
    }

    /** The value that is under way, and behind it its line end; answers what is left. */
    private fillLarge(bytes: Buffer): Buffer {
        const { large } = this;
        if (large === undefined) return bytes;
        const length = Math.min(bytes.length, large.target.length - large.filled);
        bytes.copy(large.target, large.filled, 0, length);
        large.filled += length;
        if (large.filled < large.target.length) return bytes.subarray(length);
        this.large = undefined;
        requireLineEnd(large.target, large.target.length);
        this.take(large.target.subarray(0, large.target.length - 2));
        return bytes.subarray(length);
    }

    private beginLarge(bytes: Buffer, at: number): boolean {
        if (bytes[at] !== BULK) return false;
        const line = lineAt(bytes, at);
        if (line === undefined) return false;
        const length = lengthOf(line.text, MOST_BULK_BYTES);
        if (length < LARGE_BYTES) return false;
        this.large = { target: Buffer.allocUnsafeSlow(length + 2), filled: 0 };
        this.rest = Buffer.alloc(0);
        this.needed = 1;
        this.fillLarge(bytes.subarray(line.end));
        return true;
    }
}

const BULK = "$".charCodeAt(0);

type Parsed = { readonly reply: Reply; readonly end: number } | { readonly end: undefined; readonly needed: number };

function parse(bytes: Buffer, at: number, depth: number): Parsed {
    const line = lineAt(bytes, at);
    if (line === undefined) return { end: undefined, needed: bytes.length + 1 };
    const { text, end } = line;
    switch (String.fromCharCode(bytes[at] ?? 0)) {
        case "+":
            return { reply: text, end };
        case "-":
            return { reply: new RefusalReply(text), end };
        case ":":
            return { reply: numberOf(text), end };
        case "$":
            return bulk(bytes, text, end);
        case "*":
            return list(bytes, text, end, depth);
        default:
            throw new ProtocolError("what came is no reply");
    }
}

function bulk(bytes: Buffer, text: string, start: number): Parsed {
    const length = lengthOf(text, MOST_BULK_BYTES);
    if (length < 0) return { reply: undefined, end: start };
    const end = start + length + 2;
    if (bytes.length < end) return { end: undefined, needed: end };
    requireLineEnd(bytes, end);
    // A copy: what came with it would be held as long as this value.
    return { reply: Buffer.from(bytes.subarray(start, end - 2)), end };
}

function list(bytes: Buffer, text: string, start: number, depth: number): Parsed {
    if (depth === DEEPEST) throw new ProtocolError("lists are nested too deep");
    const items: Reply[] = [];
    let end = start;
    for (let left = lengthOf(text, MOST_ITEMS); left > 0; left--) {
        const item = parse(bytes, end, depth + 1);
        if (item.end === undefined) return item;
        items.push(item.reply);
        end = item.end;
    }
    return { reply: items, end };
}

function lineAt(bytes: Buffer, at: number): { readonly text: string; readonly end: number } | undefined {
    const newline = bytes.indexOf(NEWLINE, at);
    if ((newline < 0 ? bytes.length : newline) - at > MOST_LINE_BYTES) throw new ProtocolError("a line does not end");
    if (newline < 0) return undefined;
    requireLineEnd(bytes, newline + 1);
    return { text: bytes.toString("latin1", at + 1, newline - 1), end: newline + 1 };
}

function lengthOf(text: string, most: number): number {
    const length = numberOf(text);
    if (length < -1 || length > most) throw new ProtocolError("a length is none");
    return length;
}

function numberOf(text: string): number {
    if (!/^-?\d{1,20}$/.test(text)) throw new ProtocolError("a number is none");
    return Number(text);
}

/** Bytes that were lost or added on the way are noticed here at the latest. */
function requireLineEnd(bytes: Buffer, end: number): void {
    if (bytes[end - 2] !== RETURN || bytes[end - 1] !== NEWLINE) throw new ProtocolError("a value does not end where it should");
}
