import { connect } from "node:net";
import { WireReader } from "./ssh-wire.ts";

/** A key that an SSH agent has, as its wire form. */
export interface Identity {
    readonly blob: Buffer;
    readonly comment: string;
}

const REQUEST_IDENTITIES = Buffer.from([0, 0, 0, 1, 11]);
const IDENTITIES_ANSWER = 12;
/** OpenSSH's own limit of a message to or from an agent. */
const ANSWER_BYTES_MAX = 256 * 1024;

/** What an SSH agent lists, certificates included, which ssh2 leaves out; undefined when it does not answer in time. */
export const listIdentities = async (socketPath: string, timeoutMs: number): Promise<readonly Identity[] | undefined> => {
    const socket = connect(socketPath);
    const { promise, resolve } = Promise.withResolvers<readonly Identity[] | undefined>();
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    let received = Buffer.alloc(0);
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(undefined));
    socket.on("data", (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < 4) return;
        const length = received.readUInt32BE();
        if (length > ANSWER_BYTES_MAX) resolve(undefined);
        else if (received.length >= 4 + length) resolve(identitiesIn(received.subarray(4, 4 + length)));
    });
    socket.write(REQUEST_IDENTITIES);
    try {
        return await promise;
    } finally {
        clearTimeout(timer);
        socket.destroy();
    }
};

const identitiesIn = (answer: Buffer): readonly Identity[] | undefined => {
    try {
        const reader = new WireReader(answer);
        if (reader.byte() !== IDENTITIES_ANSWER) return undefined;
        return Array.from({ length: reader.uint32() }, () => ({ blob: reader.string(), comment: reader.text() }));
    } catch {
        return undefined;
    }
};
