import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { ZodError } from "zod";
import { type Answer, type Request, request } from "./api.ts";
import { checkObject } from "./check.ts";
import { type Frame, framesOf, MOST_FRAME_BYTES, sendFrame, sendJson } from "./frames.ts";
import { API_CONNECTIONS } from "./limits.ts";
import { printMetrics } from "./metrics.ts";
import { type ObjectInfo, StoreError } from "./object-api.ts";
import { askedStatusOf, explain, statusOf } from "./status.ts";
import type { Store } from "./store.ts";

/** Serves a store on a unix socket that only its owner may open. */
export class ApiServer {
    private readonly store: Store;
    private readonly revision: string | undefined;
    private readonly server: Server;
    private readonly sockets = new Set<Socket>();

    /** `revision`: of the configuration that the store follows. */
    constructor(store: Store, revision?: string) {
        this.store = store;
        this.revision = revision;
        this.server = createServer((socket) => {
            this.sockets.add(socket);
            socket.on("close", () => this.sockets.delete(socket));
            socket.on("error", () => undefined);
            void (this.sockets.size > API_CONNECTIONS ? refuse(socket) : this.serve(socket));
        });
    }

    async listen(path: string): Promise<void> {
        rmSync(path, { force: true });
        // Nobody else may connect in the moment before the mode is set.
        const mask = process.umask(0o177);
        try {
            await new Promise<void>((resolve, reject) => {
                this.server.once("error", reject);
                this.server.listen(path, resolve);
            });
        } finally {
            process.umask(mask);
        }
        chmodSync(path, 0o600);
    }

    close(): void {
        this.server.close();
        for (const socket of this.sockets) socket.destroy();
    }

    /** Requests of a connection one after the other. */
    private async serve(socket: Socket): Promise<void> {
        try {
            const frames = framesOf(socket);
            for (let frame = await frames.next(); !frame.done; frame = await frames.next()) {
                if (frame.value.kind !== "J") throw new StoreError("invalid", "a request begins with JSON");
                if (!(await this.answer(socket, frame.value, frames))) break;
            }
        } catch (error) {
            // Whoever has gone hears nothing; what is not ours is a defect and ends the process with its stack.
            if (!(error instanceof StoreError)) throw error;
        } finally {
            socket.end();
        }
    }

    /** False when what follows on the connection cannot be understood any more. */
    private async answer(socket: Socket, { bytes }: Frame, frames: AsyncGenerator<Frame, undefined>): Promise<boolean> {
        const content = new Content(frames);
        try {
            const asked = request.parse(JSON.parse(bytes.toString("utf8")));
            if (asked.op === "put") content.begin();
            await this.carryOut(socket, asked, content);
            return true;
        } catch (error) {
            await sendJson(socket, failed(error));
            return content.skip();
        }
    }

    private async carryOut(socket: Socket, asked: Request, content: Content): Promise<void> {
        const { store } = this;
        switch (asked.op) {
            case "put":
                return sendJson(socket, { result: await store.put(asked.name, content) });
            case "get":
                return this.sendObject(socket, asked);
            case "stat":
                return sendJson(socket, { result: store.stat(asked.name) ?? null });
            case "list":
                return sendJson(socket, { result: fitting(store.list(asked.prefix, asked.after, asked.limit)) });
            case "history":
                return sendJson(socket, { result: store.history(asked.name) });
            case "remove":
                return sendJson(socket, { result: await store.remove(asked.name) });
            case "status":
                return sendJson(socket, {
                    result: { revision: this.revision, ...(asked.asking ? await askedStatusOf(store) : statusOf(store)) },
                });
            case "metrics":
                return sendJson(socket, { result: printMetrics(store) });
            case "explain":
                return sendJson(socket, { result: explain(store) });
            case "check":
                return sendJson(socket, { result: await checkObject(store, asked.name) });
            case "scrub":
                return sendJson(socket, { result: await store.caretaker.scrub() });
            case "sweep":
                return sendJson(socket, { result: await store.caretaker.sweep() });
            case "rebalance":
                return sendJson(socket, { result: await store.caretaker.rebalance() });
            case "repack":
                return sendJson(socket, { result: await store.caretaker.repack() });
            case "rotate-wrapping":
                return sendJson(socket, { result: (await store.rotateWrapping()) ?? null });
            case "repair":
                await store.caretaker.round();
                return sendJson(socket, { result: statusOf(store) });
        }
    }

    private async sendObject(socket: Socket, asked: Extract<Request, { op: "get" }>): Promise<void> {
        const { offset = 0, length = Number.MAX_SAFE_INTEGER } = asked;
        const { info, bytes } = await this.store.get(asked.name, { offset, length }, asked.generation);
        await sendJson(socket, { result: info });
        for await (const part of bytes) await sendFrame(socket, "D", part);
        await sendFrame(socket, "E");
    }
}

/** What a client sends for a put: over only when it says so, so that a cut connection is no end. */
class Content implements AsyncIterable<Uint8Array> {
    private isUnderWay = false;
    private readonly frames: AsyncGenerator<Frame, undefined>;

    constructor(frames: AsyncGenerator<Frame, undefined>) {
        this.frames = frames;
    }

    /** From here on frames are content, whether somebody reads it or not. */
    begin(): void {
        this.isUnderWay = true;
    }

    async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
        for (;;) {
            const frame = await this.frames.next();
            if (frame.done) throw new StoreError("stopped", "the connection ended before the content did, nothing of it is there");
            if (frame.value.kind === "E") break;
            yield frame.value.bytes;
        }
        this.isUnderWay = false;
    }

    /** Passes over what the client goes on sending before it has heard that it is not wanted. False when nothing more comes. */
    async skip(): Promise<boolean> {
        while (this.isUnderWay) {
            const frame = await this.frames.next();
            if (frame.done) return false;
            this.isUnderWay = frame.value.kind !== "E";
        }
        return true;
    }
}

/** As many from the beginning as fit a frame: control characters in names take six bytes each. */
function fitting(objects: readonly ObjectInfo[]): readonly ObjectInfo[] {
    let bytes = 0;
    const count = objects.findIndex((object) => {
        bytes += Buffer.byteLength(JSON.stringify(object)) + 1;
        return bytes > MOST_FRAME_BYTES / 2;
    });
    return count < 0 ? objects : objects.slice(0, count);
}

async function refuse(socket: Socket): Promise<void> {
    const message = `${API_CONNECTIONS} connections are open already: let one end, then try again`;
    // What it asks is passed over, or the answer would not reach it.
    socket.resume();
    await sendJson(socket, failed(new StoreError("stopped", message))).catch(() => undefined);
    socket.end(() => socket.destroy());
}

function failed(error: unknown): Answer {
    if (error instanceof StoreError) return { error: { failure: error.failure, message: error.message } };
    if (error instanceof ZodError || error instanceof SyntaxError)
        return { error: { failure: "invalid", message: `the request is not understood: ${error.message}` } };
    throw error;
}
