import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { ZeroformError } from "../../protocol/errors.ts";

/** An answer in the Redis protocol; an error answer is an Error value, so that a pipeline can hold some of each. */
export type Reply = string | number | null | Error | readonly Reply[];

export interface AskOptions {
    readonly signal?: AbortSignal;
    /** How long it may say nothing. @default 5 s */
    readonly silenceMs?: number;
    /** How long an answer that has begun may take. @default 60 s */
    readonly longestMs?: number;
}

/** Where a server listens on the network. */
export interface RedisAddress {
    readonly host: string;
    readonly port: number;
    readonly tls: boolean;
}

/** Talks to servers of ours over their unix sockets, and to those of other nodes. */
export interface Redis {
    /** Sends all commands at once, answers their replies in order. Throws NOT_READY when the server cannot be reached, TIMEOUT when it says nothing. */
    ask(at: string | RedisAddress, commands: readonly (readonly string[])[], options?: AskOptions): Promise<readonly Reply[]>;
}

/** A local server that says nothing for so long is not healthy. */
const SILENCE_MS = 5_000;
/** One that sends a byte now and then would be waited for without end, and all who are looked at together with it. */
const LONGEST_ANSWER_MS = 60_000;
/** Thousands of namespaces fit; more is no server of ours. */
const LONGEST_ANSWER_BYTES = 4 * 2 ** 20;
/** Answers are lists of texts at most. */
const DEEPEST = 4;

export const redis: Redis = {
    ask: (at, commands, { signal, silenceMs = SILENCE_MS, longestMs = LONGEST_ANSWER_MS } = {}) =>
        new Promise((resolve, reject) => {
            if (commands.length === 0) return resolve([]);
            const replies: Reply[] = [];
            let buffered = Buffer.alloc(0);
            const socket = opened(at);
            const end = (settle: () => void) => {
                clearTimeout(late);
                signal?.removeEventListener("abort", onAbort);
                socket.destroy();
                settle();
            };
            const fail = (why: string, code: "NOT_READY" | "TIMEOUT" = "NOT_READY") =>
                end(() => reject(unreachable(typeof at === "string" ? at : `${at.host}:${at.port}`, why, code)));
            const onAbort = () => fail("nobody waits for it any more");
            if (signal?.aborted) return onAbort();
            signal?.addEventListener("abort", onAbort, { once: true });
            socket.setTimeout(silenceMs, () => fail(`silent for ${silenceMs / 1_000} s`, "TIMEOUT"));
            const late = setTimeout(() => fail("its answer does not end", "TIMEOUT"), silenceMs + longestMs);
            socket.on("error", (failure) => fail(failure.message));
            socket.on("close", () => fail("it closed the connection"));
            socket.on("data", (chunk) => {
                buffered = Buffer.concat([buffered, chunk]);
                if (buffered.length > LONGEST_ANSWER_BYTES) return fail("its answer is too long");
                let from = 0;
                while (replies.length < commands.length) {
                    const parsed = parseReply(buffered, from);
                    if (parsed === undefined) break;
                    replies.push(parsed.reply);
                    from = parsed.next;
                }
                buffered = buffered.subarray(from);
                if (replies.length >= commands.length) end(() => resolve(replies));
            });
            socket.write(Buffer.concat(commands.map(encode)));
        }),
};

const opened = (at: string | RedisAddress): Socket => {
    if (typeof at === "string") return connect(at);
    return at.tls ? connectTls({ host: at.host, port: at.port }) : connect(at.port, at.host);
};

const unreachable = (path: string, why: string, code: "NOT_READY" | "TIMEOUT") =>
    new ZeroformError({ code, message: `no answer from the server at ${path}: ${why}`, retryable: true });

const encode = (command: readonly string[]): Buffer =>
    Buffer.from(`*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`);

type Parsed = { readonly reply: Reply; readonly next: number };

/** One reply from an offset on; undefined while it is not complete. Servers are not trusted: whatever it is, it ends, and behind its beginning. */
export const parseReply = (buffer: Buffer, from: number, depth = 0): Parsed | undefined => {
    const lineEnd = buffer.indexOf("\r\n", from);
    if (lineEnd === -1) return undefined;
    const line = buffer.toString("utf8", from + 1, lineEnd);
    const next = lineEnd + 2;
    switch (buffer.toString("latin1", from, from + 1)) {
        case "+":
            return { reply: line, next };
        case "-":
            return { reply: new Error(line), next };
        case ":":
            return { reply: Number(line), next };
        case "$":
            return LENGTH.test(line) ? parseBulk(buffer, Number(line), next) : { reply: strange(line), next };
        case "*":
            return LENGTH.test(line) && depth < DEEPEST ? parseArray(buffer, Number(line), next, depth) : { reply: strange(line), next };
        default:
            return { reply: strange(line), next };
    }
};

const LENGTH = /^(-1|\d{1,9})$/;
const strange = (line: string) => new Error(`not an answer in the Redis protocol: ${line.slice(0, 80)}`);

const parseBulk = (buffer: Buffer, length: number, from: number): Parsed | undefined => {
    if (length < 0) return { reply: null, next: from };
    const next = from + length + 2;
    return buffer.length < next ? undefined : { reply: buffer.toString("utf8", from, from + length), next };
};

const parseArray = (buffer: Buffer, length: number, from: number, depth: number): Parsed | undefined => {
    if (length < 0) return { reply: null, next: from };
    const replies: Reply[] = [];
    let next = from;
    while (replies.length < length) {
        const parsed = parseReply(buffer, next, depth + 1);
        if (parsed === undefined) return undefined;
        replies.push(parsed.reply);
        next = parsed.next;
    }
    return { reply: replies, next };
};
