import { Transform } from "node:stream";

/** The largest message of a provider: a spec with some texts in it. */
export const LARGEST_MESSAGE_BYTES = 8 * 2 ** 20;
/** Headers of a message are a line or two. */
const LONGEST_HEADER_BYTES = 1_024;
const HEADER_END = "\r\n\r\n";
const LENGTH = /^content-length:\s*(\d+)\s*$/im;

/** Lets messages of JSON-RPC through (a header with Content-Length, then so many bytes); ends with an error at one that is too large. */
export const limitMessages = (): Transform => {
    let header = "";
    let bodyLeft = 0;
    const account = (chunk: Buffer): Error | undefined => {
        let at = 0;
        while (at < chunk.length) {
            if (bodyLeft > 0) {
                const taken = Math.min(bodyLeft, chunk.length - at);
                bodyLeft -= taken;
                at += taken;
                continue;
            }
            header += String.fromCharCode(chunk[at++] ?? 0);
            if (header.length > LONGEST_HEADER_BYTES) return new Error("the header of a message is too long");
            if (!header.endsWith(HEADER_END)) continue;
            bodyLeft = Number(LENGTH.exec(header)?.[1] ?? Number.NaN);
            header = "";
            if (!(bodyLeft <= LARGEST_MESSAGE_BYTES)) return new Error(`a message is larger than ${LARGEST_MESSAGE_BYTES} bytes`);
        }
        return undefined;
    };
    return new Transform({
        transform: (chunk: Buffer, _encoding, done) => {
            const fault = account(chunk);
            if (fault) done(fault);
            else done(null, chunk);
        },
    });
};
