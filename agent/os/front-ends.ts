import { connect } from "node:net";
import { z } from "zod";
import { ZeroformError } from "../../protocol/errors.ts";

export type Question = "status" | "explain" | "metrics";

/** Talks to front ends of dispersed stores over their unix sockets. */
export interface FrontEnds {
    /** Asks several things at once, answers in order. Throws NOT_READY when it cannot be reached, refuses or makes no sense, TIMEOUT when it says nothing. */
    ask(socket: string, questions: readonly Question[], silenceMs?: number): Promise<readonly unknown[]>;
}

/** A local program that says nothing for so long is not healthy. */
const SILENCE_MS = 5_000;
/** One that sends a byte now and then would be waited for without end. */
const LONGEST_MS = 30_000;
/** A frame: length u32, kind u8, then so many bytes; both sides speak JSON here, in frames of kind J. */
const HEAD_BYTES = 5;
const LONGEST_ANSWER_BYTES = 4 * 2 ** 20;

const answer = z.union([
    z.object({ result: z.unknown() }).refine((value) => "result" in value),
    z.object({ error: z.object({ message: z.string() }) }),
]);

export const frontEnds: FrontEnds = {
    ask: (path, questions, silenceMs = SILENCE_MS) =>
        new Promise((resolve, reject) => {
            const answers: unknown[] = [];
            let buffered = Buffer.alloc(0);
            const socket = connect(path);
            const end = (settle: () => void) => {
                clearTimeout(late);
                socket.destroy();
                settle();
            };
            const fail = (why: string, code: "NOT_READY" | "TIMEOUT" = "NOT_READY") =>
                end(() => reject(new ZeroformError({ code, message: `no answer from the front end at ${path}: ${why}`, retryable: true })));
            socket.setTimeout(silenceMs, () => fail(`silent for ${silenceMs / 1_000} s`, "TIMEOUT"));
            const late = setTimeout(() => fail("its answer does not end", "TIMEOUT"), LONGEST_MS);
            socket.on("error", (failure) => fail(failure.message));
            socket.on("close", () => fail("it closed the connection"));
            socket.on("data", (chunk) => {
                buffered = Buffer.concat([buffered, chunk]);
                while (buffered.length >= HEAD_BYTES) {
                    const length = buffered.readUInt32LE(0);
                    if (length > LONGEST_ANSWER_BYTES) return fail("its answer is too long");
                    if (buffered.length < HEAD_BYTES + length) return;
                    const parsed = parseAnswer(buffered.subarray(HEAD_BYTES, HEAD_BYTES + length));
                    if ("refusal" in parsed) return fail(parsed.refusal);
                    answers.push(parsed.result);
                    buffered = buffered.subarray(HEAD_BYTES + length);
                }
                if (answers.length >= questions.length) end(() => resolve(answers));
            });
            socket.write(Buffer.concat(questions.map((op) => frameOf(JSON.stringify({ op })))));
        }),
};

const frameOf = (json: string): Buffer => {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(Buffer.byteLength(json));
    head.write("J", 4, "latin1");
    return Buffer.concat([head, Buffer.from(json)]);
};

/** Front ends are not trusted: whatever they send is either an answer or the end. */
const parseAnswer = (bytes: Buffer): { readonly result: unknown } | { readonly refusal: string } => {
    let json: unknown;
    try {
        json = JSON.parse(bytes.toString("utf8"));
    } catch {
        return { refusal: "it answers something else than JSON" };
    }
    const { success, data } = answer.safeParse(json);
    if (!success) return { refusal: "its answer is none" };
    return "error" in data ? { refusal: data.error.message } : data;
};
