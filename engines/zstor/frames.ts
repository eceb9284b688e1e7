import type { Socket } from "node:net";
import { StoreError } from "./object-api.ts";

/** What goes over the engine's unix socket: length u32, kind u8, then so many bytes. `J` is JSON, `D` content, `E` the end of content. */
export interface Frame {
    readonly kind: "J" | "D" | "E";
    readonly bytes: Buffer;
}

const HEAD_BYTES = 5;
const MOST_BYTES = 4 * 2 ** 20;

/** Frames as they come; ends with the connection, in the middle of one with an error. Takes no more than is asked for. */
export async function* framesOf(socket: Socket): AsyncGenerator<Frame, undefined> {
    let parts: Buffer[] = [];
    let there = 0;
    let needed = HEAD_BYTES;
    for await (const chunk of bytesOf(socket)) {
        parts.push(chunk);
        there += chunk.length;
        if (there < needed) continue;
        let bytes = parts.length === 1 ? chunk : Buffer.concat(parts);
        while (bytes.length >= HEAD_BYTES) {
            const length = bytes.readUInt32LE(0);
            if (length > MOST_BYTES) throw new StoreError("invalid", `a frame of ${length} bytes is too long`);
            if (bytes.length < HEAD_BYTES + length) break;
            yield { kind: kindOf(bytes), bytes: bytes.subarray(HEAD_BYTES, HEAD_BYTES + length) };
            bytes = bytes.subarray(HEAD_BYTES + length);
        }
        parts = [bytes];
        there = bytes.length;
        needed = there < HEAD_BYTES ? HEAD_BYTES : HEAD_BYTES + bytes.readUInt32LE(0);
    }
    if (there > 0) throw new StoreError("stopped", "the connection ended in the middle of a frame");
    return undefined;
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
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(bytes.length);
    head.write(kind, 4);
    if (socket.destroyed) throw new StoreError("stopped", "the connection has ended");
    socket.cork();
    socket.write(head);
    const isTaken = bytes.length === 0 || socket.write(bytes);
    socket.uncork();
    if (isTaken) return;
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

export function sendJson(socket: Socket, value: unknown): Promise<void> {
    return sendFrame(socket, "J", Buffer.from(JSON.stringify(value)));
}

function kindOf(bytes: Buffer): Frame["kind"] {
    const kind = String.fromCharCode(bytes[4] ?? 0);
    if (kind === "J" || kind === "D" || kind === "E") return kind;
    throw new StoreError("invalid", "a frame has a kind that is none");
}
