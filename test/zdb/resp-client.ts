import * as net from "node:net";
import * as tls from "node:tls";

/** A reply as it came: `+text`, `-text`, a number, bytes as latin1 text, nil, or an array of them. */
export type Reply = { readonly status: string } | { readonly error: string } | number | string | null | readonly Reply[];

export const ok: Reply = { status: "OK" };
export const error = (text: string): Reply => ({ error: text });

export type Where = ({ readonly path: string } | { readonly host: string; readonly port: number }) & {
    /** Speak TLS, with these options. */
    readonly tls?: tls.ConnectionOptions;
};

/** A client that sends exactly what it is told and reads replies in order. */
export class RespClient {
    readonly socket: net.Socket;
    /** The server closed the connection. */
    readonly closed: Promise<void>;

    private chunks: Buffer[] = [];
    private arrivedBytes = 0;
    /** Fewer bytes than this hold no whole reply. */
    private neededBytes = 0;
    private isClosed = false;
    private readonly waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = [];
    private readonly arrived: Reply[] = [];

    private constructor(socket: net.Socket) {
        this.socket = socket;
        this.closed = new Promise((resolve) => {
            socket.on("close", () => {
                this.isClosed = true;
                for (const { reject } of this.waiting.splice(0)) reject(new Error("connection closed"));
                resolve();
            });
        });
        socket.on("error", () => undefined);
        socket.on("data", (chunk) => this.take(chunk));
    }

    static connect(where: Where): Promise<RespClient> {
        return new Promise((resolve, reject) => {
            const socket = where.tls ? tls.connect({ ...where, ...where.tls }) : net.connect({ ...where, noDelay: true });
            socket.once("error", reject);
            socket.once(where.tls ? "secureConnect" : "connect", () => {
                socket.off("error", reject);
                resolve(new RespClient(socket));
            });
        });
    }

    async call(...args: (string | Buffer)[]): Promise<Reply> {
        this.send(encodeRequest(args));
        return this.reply();
    }

    send(bytes: string | Buffer): void {
        this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    }

    /** The next reply; rejects when the connection closes before it. */
    reply(): Promise<Reply> {
        const arrived = this.arrived.shift();
        if (arrived !== undefined) return Promise.resolve(arrived);
        if (this.isClosed) return Promise.reject(new Error("connection closed"));
        return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
    }

    async replies(count: number): Promise<Reply[]> {
        const replies: Reply[] = [];
        while (replies.length < count) replies.push(await this.reply());
        return replies;
    }

    close(): void {
        this.socket.destroy();
    }

    private take(chunk: Buffer): void {
        this.chunks.push(chunk);
        this.arrivedBytes += chunk.length;
        if (this.arrivedBytes < this.neededBytes) return;
        const bytes = Buffer.concat(this.chunks);
        let at = 0;
        for (;;) {
            const parsed = parseReply(bytes, at);
            if ("needs" in parsed) {
                this.neededBytes = parsed.needs - at;
                break;
            }
            at = parsed.end;
            const waiting = this.waiting.shift();
            if (waiting) waiting.resolve(parsed.reply);
            else this.arrived.push(parsed.reply);
        }
        const rest = bytes.subarray(at);
        this.chunks = [rest];
        this.arrivedBytes = rest.length;
    }
}

/** Counts the replies of a stream, and notices when it is none. */
export class RespReader {
    count = 0;
    private rest = Buffer.alloc(0);
    private readonly each: (reply: Reply) => void;

    constructor(each: (reply: Reply) => void = () => undefined) {
        this.each = each;
    }

    /** Nothing is left over of a reply that has begun. */
    get isWhole(): boolean {
        return this.rest.length === 0;
    }

    push(chunk: Buffer): void {
        const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
        let at = 0;
        for (let parsed = parseReply(bytes, at); at < bytes.length && !("needs" in parsed); parsed = parseReply(bytes, at)) {
            at = parsed.end;
            this.count++;
            this.each(parsed.reply);
            if (at === bytes.length) break;
        }
        this.rest = Buffer.from(bytes.subarray(at));
    }
}

export function encodeRequest(args: readonly (string | Buffer)[]): Buffer {
    const parts = args.flatMap((argument) => {
        const bytes = typeof argument === "string" ? Buffer.from(argument, "latin1") : argument;
        return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")];
    });
    return Buffer.concat([Buffer.from(`*${args.length}\r\n`), ...parts]);
}

/** The reply at `at`, or how many bytes there must be before it can be whole. */
function parseReply(bytes: Buffer, at: number): { reply: Reply; end: number } | { needs: number } {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return { needs: bytes.length + 1 };
    const text = bytes.toString("latin1", at + 1, lineEnd);
    let end = lineEnd + 2;
    switch (String.fromCharCode(bytes[at] ?? 0)) {
        case "+":
            return { reply: { status: text }, end };
        case "-":
            return { reply: { error: text }, end };
        case ":":
            return { reply: Number(text), end };
        case "$": {
            const length = Number(text);
            if (length < 0) return { reply: null, end };
            if (bytes.length < end + length + 2) return { needs: end + length + 2 };
            return { reply: bytes.toString("latin1", end, end + length), end: end + length + 2 };
        }
        case "*": {
            const items: Reply[] = [];
            for (let count = Number(text); count > 0; count--) {
                const item = parseReply(bytes, end);
                if ("needs" in item) return item;
                items.push(item.reply);
                end = item.end;
            }
            return { reply: items, end };
        }
        default:
            throw new Error(`no reply: ${JSON.stringify(bytes.toString("latin1", at, at + 40))}`);
    }
}
