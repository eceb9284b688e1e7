import type { Socket } from "node:net";
import type { Introduction } from "../../protocol/api.ts";
import { isSessionId } from "../../protocol/ids.ts";

/** The first line is short, and comes at once: `zeroform-agent rpc` sends it unasked. */
const LONGEST_BYTES = 4_096;
const LONGEST_WAIT_MS = 10_000;

/** The first line of a peer; undefined when it ends, is late, or says something else. What follows the line stays in the socket. */
export const readIntroduction = (socket: Socket): Promise<Introduction | undefined> =>
    new Promise((resolve) => {
        let read = Buffer.alloc(0);
        const end = (introduction: Introduction | undefined) => {
            clearTimeout(timer);
            socket.off("data", onData);
            socket.off("close", onClose);
            resolve(introduction);
        };
        const onData = (chunk: Buffer) => {
            read = Buffer.concat([read, chunk]);
            const newline = read.indexOf("\n");
            if (newline < 0 && read.length <= LONGEST_BYTES) return;
            if (newline < 0 || newline > LONGEST_BYTES) return end(undefined);
            socket.pause();
            const rest = read.subarray(newline + 1);
            if (rest.length > 0) socket.unshift(rest);
            end(parse(read.subarray(0, newline).toString("utf8")));
        };
        const onClose = () => end(undefined);
        const timer = setTimeout(onClose, LONGEST_WAIT_MS);
        socket.on("data", onData);
        socket.on("close", onClose);
    });

const parse = (line: string): Introduction | undefined => {
    try {
        const said: unknown = JSON.parse(line);
        if (typeof said !== "object" || said === null || !("protocols" in said) || !areNumbers(said.protocols)) return undefined;
        const { protocols } = said;
        const session = "session" in said ? said.session : undefined;
        if (session === undefined) return { protocols };
        return typeof session === "string" && isSessionId(session) ? { protocols, session } : undefined;
    } catch {
        return undefined;
    }
};

const areNumbers = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every((each) => typeof each === "number");
