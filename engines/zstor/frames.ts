import type { Socket } from "node:net";
import { StoreError } from "./object-api.ts";

/** What goes over the engine's unix socket: length u32, kind u8, then so many bytes. `J` is JSON, `D` content, `E` the end of content. */
export interface Frame {
    readonly kind: "J" | "D" | "E";
    readonly bytes: Buffer;
}

const HEAD_BYTES = 5;
export const MOST_FRAME_BYTES = 4 * 2 ** 20;
/** To copy so much costs less than a write of its own does. */
const SMALL_BYTES = 16 * 1024;

/**
 * Frames as they come; ends with the connection, in the middle of one with an error. Takes no more than is asked for. Content is given in
 * the pieces in which it arrives, whatever its frames: to put them together would copy everything once more.
 */
export async function* framesOf(socket: Socket): AsyncGenerator<Frame, undefined> {
    let parts: Buffer[] = [];
    let there = 0;
    let needed = HEAD_BYTES;
    /** Of the content frame that is under way. */
    let contentLeft = 0;
    for await (const chunk of bytesOf(socket)) {
        parts.push(chunk);
        there += chunk.length;
        if (there < needed) continue;
        let bytes = parts.length === 1 ? chunk : Buffer.concat(parts);
        for (;;) {
            if (contentLeft > 0 && bytes.length > 0) {
                const piece = bytes.subarray(0, contentLeft);
                contentLeft -= piece.length;
                bytes = bytes.subarray(piece.length);
                yield { kind: "D", bytes: piece };
            }
            if (contentLeft > 0 || bytes.length < HEAD_BYTES) break;
            const { kind, length } = headOf(bytes);
            if (kind === "D") contentLeft = length;
            else if (bytes.length < HEAD_BYTES + length) break;
            else yield { kind, bytes: bytes.subarray(HEAD_BYTES, HEAD_BYTES + length) };
            bytes = bytes.subarray(HEAD_BYTES + (kind === "D" ? 0 : length));
        }
        parts = bytes.length === 0 ? [] : [bytes];
        there = bytes.length;
        if (contentLeft > 0) needed = 1;
        else needed = there < HEAD_BYTES ? HEAD_BYTES : HEAD_BYTES + bytes.readUInt32LE(0);
    }
    if (there > 0 || contentLeft > 0) throw new StoreError("stopped", "the connection ended in the middle of a frame");
    return undefined;
}

function headOf(bytes: Buffer): { readonly kind: Frame["kind"]; readonly length: number } {
    const length = bytes.readUInt32LE(0);
    if (length > MOST_FRAME_BYTES) throw new StoreError("invalid", `a frame of ${length} bytes is too long`);
    return { kind: kindOf(bytes), length };
}

/** A connection that breaks is an end that was not said. */
async function* bytesOf(socket: Socket): AsyncGenerator<Buffer> {
    try {
        yield* socket as AsyncIterable<Buffer>;
    } catch (error) {
        throw new StoreError("stopped", `the connection has ended: ${(error as Error).message}`);
    }
}

/** Settles when the other side takes them: no more than the socket's buffer is held. */
export async function sendFrame(socket: Socket, kind: Frame["kind"], bytes: Uint8Array = Buffer.alloc(0)): Promise<void> {
    const isSmall = bytes.length <= SMALL_BYTES;
    const head = Buffer.alloc(HEAD_BYTES + (isSmall ? bytes.length : 0));
    head.writeUInt32LE(bytes.length);
    head.write(kind, 4);
    if (isSmall) head.set(bytes, HEAD_BYTES);
    if (socket.destroyed) throw new StoreError("stopped", "the connection has ended");
    // Not corked: what is, Bun joins in a new buffer.
    const isTaken = socket.write(head);
    if (isSmall ? isTaken : socket.write(bytes)) return;
    await new Promise<void>((resolve, reject) => {
        const end = (settle: () => void) => {
            socket.off("drain", onDrain);
            socket.off("close", onClose);
            settle();
        };
        const onDrain = () => end(resolve);
        const onClose = () => end(() => reject(new StoreError("stopped", "the connection has ended")));
        socket.once("drain", onDrain);
        socket.once("close", onClose);
    });
}

/** Whoever reads takes no longer one: it is refused here, where that can be said. */
export function sendJson(socket: Socket, value: unknown): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(value));
    if (bytes.length > MOST_FRAME_BYTES) return Promise.reject(new StoreError("invalid", `an answer of ${bytes.length} bytes is too long`));
    return sendFrame(socket, "J", bytes);
}

function kindOf(bytes: Buffer): Frame["kind"] {
    const kind = String.fromCharCode(bytes[4] ?? 0);
    if (kind === "J" || kind === "D" || kind === "E") return kind;
    throw new StoreError("invalid", "a frame has a kind that is none");
}
