import { connect, type Socket } from "node:net";
import { z } from "zod";
import type { Request } from "./api.ts";
import { type Frame, framesOf, sendFrame, sendJson } from "./frames.ts";
import { type ObjectInfo, StoreError, type StoreFailure } from "./object-api.ts";

const answer = z.union([
    z.strictObject({ result: z.unknown() }),
    z.strictObject({ error: z.strictObject({ failure: z.string(), message: z.string() }) }),
]);

type GetRequest = Extract<Request, { op: "get" }>;

/** Speaks to the daemon's socket; one request after the other. */
export class ApiClient {
    private readonly socket: Socket;
    private readonly frames: AsyncGenerator<Frame, undefined>;

    static open(path: string): Promise<ApiClient> {
        return new Promise((resolve, reject) => {
            const socket = connect(path);
            socket.once("error", (error) => reject(new StoreError("stopped", `the store at ${path} cannot be reached: ${error.message}`)));
            socket.once("connect", () => {
                // What goes wrong later is seen by whoever reads or writes.
                socket.on("error", () => undefined);
                resolve(new ApiClient(socket));
            });
        });
    }

    private constructor(socket: Socket) {
        this.socket = socket;
        this.frames = framesOf(socket);
    }

    async call(request: Request): Promise<unknown> {
        await sendJson(this.socket, request);
        return this.result();
    }

    async put(name: string, content: AsyncIterable<Uint8Array>): Promise<ObjectInfo> {
        await sendJson(this.socket, { op: "put", name });
        const answer = this.result();
        let isAnswered = false;
        answer
            .finally(() => {
                isAnswered = true;
            })
            .catch(() => undefined);
        for await (const bytes of content) {
            // A refusal may come before the content is at its end: then the rest is not wanted.
            for (let at = 0; at < bytes.length && !isAnswered; at += FRAME_BYTES)
                await this.send("D", bytes.subarray(at, at + FRAME_BYTES));
            if (isAnswered) break;
        }
        if (!isAnswered) await this.send("E");
        return (await answer) as ObjectInfo;
    }

    /** What stops the sending is known better by whoever waits for the answer. */
    private async send(kind: Frame["kind"], bytes?: Uint8Array): Promise<void> {
        try {
            await sendFrame(this.socket, kind, bytes);
        } catch (error) {
            if (!(error instanceof StoreError)) throw error;
        }
    }

    /** The object's bytes; an end before the end is an error. */
    async *get(request: GetRequest): AsyncGenerator<Buffer> {
        yield* (await this.read(request)).bytes;
    }

    /** What an object is, and its bytes, which have to be taken before anything else is asked. */
    async read(request: GetRequest): Promise<{ readonly info: ObjectInfo; readonly bytes: AsyncGenerator<Buffer> }> {
        const info = (await this.call(request)) as ObjectInfo;
        return { info, bytes: this.content() };
    }

    private async *content(): AsyncGenerator<Buffer> {
        for (;;) {
            const frame = await this.next();
            if (frame.kind === "E") return;
            if (frame.kind === "J") {
                const parsed = answerIn(frame);
                throw "error" in parsed ? errorOf(parsed.error) : notUnderstood();
            }
            yield frame.bytes;
        }
    }

    close(): void {
        this.socket.destroy();
    }

    private async result(): Promise<unknown> {
        const parsed = answerIn(await this.next());
        if ("error" in parsed) throw errorOf(parsed.error);
        return parsed.result;
    }

    private async next(): Promise<Frame> {
        const frame = await this.frames.next();
        if (frame.done) throw new StoreError("stopped", "the store has ended the connection before it answered");
        return frame.value;
    }
}

const FRAME_BYTES = 1024 * 1024;

type ParsedAnswer = z.infer<typeof answer>;

function answerIn({ kind, bytes }: Frame): ParsedAnswer {
    if (kind !== "J") throw notUnderstood();
    let json: unknown;
    try {
        json = JSON.parse(bytes.toString("utf8"));
    } catch {
        throw notUnderstood();
    }
    const parsed = answer.safeParse(json);
    if (!parsed.success) throw notUnderstood();
    return parsed.data;
}

function errorOf({ failure, message }: Extract<ParsedAnswer, { error: unknown }>["error"]): StoreError {
    return new StoreError(failure as StoreFailure, message);
}

function notUnderstood(): StoreError {
    return new StoreError(
        "stopped",
        "what came over the store's socket is no answer of this version: use the command of the version that serves",
    );
}
