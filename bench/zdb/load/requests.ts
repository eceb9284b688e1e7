import { KEY_BYTES, type LoadJob } from "./job.ts";
import { PinnedBytes } from "./sockets.ts";

const DIGITS = 12;
const ZERO = 0x30;
const KEY_START = "key-";
/** Ids are 8 bytes. */
const ID_BYTES = 8;

/** The requests of one client that go out together, formed once: only keys and values' numbers are written anew. */
export class Requests {
    readonly memory: PinnedBytes;
    private readonly job: LoadJob;
    private readonly bytes: number;
    /** In each request, or -1: where its key's number, and its value's, are. */
    private readonly keyAt: number;
    private readonly ownerAt: number;
    private readonly stampAt: number;
    /** What each was asked for. */
    readonly asked: Float64Array;

    constructor(job: LoadJob, filler: Buffer) {
        this.job = job;
        const one = requestOf(job, filler);
        this.bytes = one.bytes.length;
        this.keyAt = one.keyAt;
        this.ownerAt = one.valueAt < 0 ? -1 : one.valueAt + KEY_START.length;
        this.stampAt = one.valueAt < 0 ? -1 : one.valueAt + KEY_BYTES;
        this.memory = new PinnedBytes(this.bytes * job.pipeline);
        for (let place = 0; place < job.pipeline; place++) this.memory.bytes.set(one.bytes, place * this.bytes);
        this.asked = new Float64Array(job.pipeline);
    }

    /** Makes the request at this place one for a key, with a value that was never set before. */
    prepare(place: number, key: number, stamp: number): void {
        const { bytes } = this.memory;
        const from = place * this.bytes;
        this.asked[place] = key;
        if (this.keyAt >= 0 && this.job.mode === "user") writeDigits(bytes, from + this.keyAt, key);
        if (this.keyAt >= 0 && this.job.mode === "seq") writeId(bytes, from + this.keyAt, key);
        if (this.stampAt < 0) return;
        writeDigits(bytes, from + this.ownerAt, key);
        writeDigits(bytes, from + this.stampAt, stamp);
    }

    /** Length of the first so many. */
    length(count: number): number {
        return count * this.bytes;
    }
}

interface OneRequest {
    readonly bytes: Buffer;
    readonly keyAt: number;
    readonly valueAt: number;
}

function requestOf({ command, mode, valueBytes, keysPerRequest }: LoadJob, filler: Buffer): OneRequest {
    const key = mode === "user" ? `${KEY_START}${"0".repeat(DIGITS)}` : "\0".repeat(ID_BYTES);
    const keyBulk = `$${key.length}\r\n`;
    switch (command) {
        case "PING":
            return { bytes: Buffer.from("*1\r\n$4\r\nPING\r\n"), keyAt: -1, valueAt: -1 };
        case "GET": {
            const head = `*2\r\n$3\r\nGET\r\n${keyBulk}`;
            return { bytes: Buffer.from(`${head}${key}\r\n`), keyAt: head.length + key.length - DIGITS_OR_ID[mode], valueAt: -1 };
        }
        case "MGET": {
            const keys = Array.from({ length: keysPerRequest }, (_, index) => `$16\r\n${keyText(index)}\r\n`).join("");
            return { bytes: Buffer.from(`*${keysPerRequest + 1}\r\n$4\r\nMGET\r\n${keys}`), keyAt: -1, valueAt: -1 };
        }
        case "SET": {
            const head = `*3\r\n$3\r\nSET\r\n${mode === "user" ? keyBulk : "$0\r\n"}`;
            const start = `${head}${mode === "user" ? key : ""}\r\n$${valueBytes}\r\n`;
            const keyAt = mode === "user" ? head.length + KEY_START.length : -1;
            const value = Buffer.from(filler.subarray(0, valueBytes));
            value.write(KEY_START, 0, "latin1");
            return { bytes: Buffer.concat([Buffer.from(start), value, Buffer.from("\r\n")]), keyAt, valueAt: start.length };
        }
    }
}

const DIGITS_OR_ID = { user: DIGITS, seq: ID_BYTES };

export const keyText = (number: number): string => `${KEY_START}${String(number).padStart(DIGITS, "0")}`;

/** Whether the value at `at` is one that was set for the key with this number. */
export function isValueOf(bytes: Buffer, at: number, length: number, key: number): boolean {
    if (length < KEY_BYTES) return false;
    let rest = key;
    for (let place = at + KEY_BYTES - 1; place >= at + KEY_START.length; place--) {
        const next = Math.floor(rest / 10);
        if (bytes[place] !== ZERO + rest - next * 10) return false;
        rest = next;
    }
    return true;
}

function writeDigits(bytes: Buffer, at: number, number: number): void {
    let rest = number;
    for (let place = at + DIGITS - 1; place >= at; place--) {
        const next = Math.floor(rest / 10);
        bytes[place] = ZERO + rest - next * 10;
        rest = next;
    }
}

/** Little-endian, as the server gives them. */
function writeId(bytes: Buffer, at: number, id: number): void {
    bytes.writeUInt32LE(id, at);
    bytes.writeUInt32LE(0, at + 4);
}
