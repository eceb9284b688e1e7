import { expect, test } from "vitest";
import { heldBytes } from "../../test/held-bytes.ts";
import { ADMIN_PASSWORD, type InProcessServer, inProcessServer } from "../../test/zdb/in-process-server.ts";
import { encodeRequest, RespReader } from "../../test/zdb/resp-client.ts";
import { id } from "../../test/zdb/script.ts";
import { COMMAND_NAMES } from "./commands.ts";
import { Refusal } from "./refusal.ts";
import { RequestParser } from "./request-parser.ts";

/** `npm run fuzz:zdb` has a million; `ZEROFORM_SEED` repeats a run. */
const INPUTS = Number(process.env.ZDB_FUZZ_INPUTS ?? 10_000);
const SEED = Number(process.env.ZEROFORM_SEED ?? 1);
/** A new server after so many, since the disk in memory grows. */
const INPUTS_A_SERVER = 1000;
/** An answer that needs more turns of the event loop than this does not come. */
const PATIENCE_TURNS = 3000;
/** Between the beginning and the end of a run. */
const MAX_GROWTH_BYTES = 200 * 1024 * 1024;

/** Numbers that look random and come again with the same seed (mulberry32). */
class Dice {
    private state: number;

    constructor(seed: number) {
        this.state = seed >>> 0;
    }

    below(limit: number): number {
        this.state = (this.state + 0x6d2b79f5) >>> 0;
        let value = this.state;
        value = Math.imul(value ^ (value >>> 15), value | 1);
        value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
        return ((value ^ (value >>> 14)) >>> 0) % limit;
    }

    pick<T>(from: readonly T[]): T {
        const picked = from[this.below(from.length)];
        if (picked === undefined) throw new Error("nothing to pick from");
        return picked;
    }

    bytes(length: number): Buffer {
        return Buffer.from(Array.from({ length }, () => this.below(256)));
    }
}

/** Words that mean something somewhere. */
const WORDS: readonly string[] = [
    ...COMMAND_NAMES,
    ...["default", "one", "two", "absent", ".", "..", "a/b", "n".repeat(129), "k".repeat(255), "k".repeat(256), "v".repeat(64)],
    ...["mode", "user", "seq", "password", "public", "worm", "lock", "freeze", "maxsize", "durability", "listen", "commit", "none"],
    ...["SECURE", "CHALLENGE", "RAW", "DIRTY", "RESET", "*", "", "0", "1", "-1", "100", "128", "1e9", "4294967296", "99999999999999999999"],
    ...["a", "b", "c", id(0), id(1), id(2), "\0".repeat(8), "\x01".repeat(17), "\r\n", "$-1\r\n", ADMIN_PASSWORD, "0".repeat(40)],
    ...["/elsewhere/one", "/data/two", "relative", "interval 1s"],
];

const NUMBERS = [
    "-1",
    "-2",
    "-99999999999",
    "0",
    "1",
    "2",
    "1024",
    "1025",
    "8388608",
    "8388609",
    "99999999999999999999",
    "x",
    "",
    " 3",
    "+4",
];

function request(dice: Dice): Buffer {
    const args: (string | Buffer)[] = [dice.below(20) === 0 ? dice.pick(WORDS) : dice.pick(COMMAND_NAMES)];
    for (let more = dice.below(5); more > 0; more--) args.push(argument(dice));
    return encodeRequest(args);
}

function argument(dice: Dice): string | Buffer {
    const kind = dice.below(100);
    if (kind < 80) return dice.pick(WORDS);
    if (kind < 98) return dice.bytes(dice.below(40));
    return Buffer.alloc(dice.below(kind === 99 ? 80_000 : 5000), "v");
}

/** Requests, sometimes with a flaw, or bytes of no kind. */
function input(dice: Dice): Buffer {
    const kind = dice.below(10);
    if (kind === 0) return dice.bytes(dice.below(60));
    const stream = Buffer.concat(Array.from({ length: 1 + dice.below(4) }, () => request(dice)));
    if (kind < 6) return stream;
    if (kind === 6) return stream.subarray(0, dice.below(stream.length + 1));
    if (kind === 7)
        return Buffer.concat([
            stream,
            Buffer.from(`*${dice.pick(NUMBERS)}\r\n$${dice.pick(NUMBERS)}\r\n${dice.pick(WORDS)}\r\n`, "latin1"),
        ]);
    const flawed = Buffer.from(stream);
    for (let flaws = 1 + dice.below(3); flaws > 0; flaws--)
        flawed[dice.below(flawed.length)] = kind === 8 ? dice.below(256) : dice.pick([...Buffer.from("*$\r\n-0123")]);
    return flawed;
}

/** What the bytes are, by the parser alone: its own tests say that it is right. */
function judge(bytes: Buffer): { readonly requests: number; readonly waits: number; readonly isRefused: boolean } {
    const parser = new RequestParser();
    parser.push(Buffer.from(bytes));
    let [requests, waits] = [0, 0];
    try {
        for (let next = parser.next(); next; next = parser.next()) {
            requests++;
            if (String(next[0]).toUpperCase() === "WAIT") waits++;
        }
    } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return { requests, waits, isRefused: true };
    }
    return { requests, waits, isRefused: false };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Sends the bytes in pieces, and waits until everything that must be answered is: WAIT may be answered later, bytes that are no request end
 * the connection, and so does a namespace that is gone.
 */
async function tryInput(server: InProcessServer, dice: Dice, bytes: Buffer): Promise<void> {
    const { requests, waits, isRefused } = judge(bytes);
    const socket = server.connect({ admin: dice.below(4) > 0 });
    socket.isSlow = dice.below(4) === 0;
    const reader = new RespReader();
    const pieces = 1 + dice.below(4);
    let sent = 0;
    for (let turns = 0; ; turns++) {
        if (sent < pieces && !socket.isPaused) {
            const [from, to] = [sent, sent + 1].map((piece) => Math.floor((bytes.length * piece) / pieces));
            sent++;
            socket.emit("data", bytes.subarray(from, to));
        }
        await turn();
        if (socket.isSlow && turns % 3 === 2) socket.takeAll();
        for (const chunk of socket.taken.splice(0)) reader.push(chunk);
        const isAnswered = socket.hasEnded ? socket.writableLength === 0 : !isRefused && reader.count >= requests - waits;
        if (isAnswered && (sent === pieces || socket.hasEnded)) break;
        if (turns > PATIENCE_TURNS) throw new Error(`no answer: ${reader.count} of ${requests}`);
        // Failed logins and WAIT go on when the time comes.
        if (turns % 8 === 7) server.timers.advance(1000);
    }
    expect(reader.isWhole).toBe(true);
    if (socket.hasEnded) return socket.destroy();
    socket.emit("end");
    socket.destroy();
}

test(
    `${INPUTS} inputs, sensible, flawed and random (seed ${SEED}): every request is answered, every refusal ends its connection, nothing is left`,
    async () => {
        const before = heldBytes();
        for (let done = 0; done < INPUTS; ) {
            const server = await inProcessServer(64 * 1024);
            const { connections } = server;
            for (let each = 0; each < INPUTS_A_SERVER && done < INPUTS; each++, done++) {
                const dice = new Dice(SEED + done);
                const bytes = input(dice);
                try {
                    await tryInput(server, dice, bytes);
                } catch (error) {
                    throw new Error(
                        `input ${done} of seed ${SEED}, ${JSON.stringify(bytes.toString("latin1").slice(0, 600))}: ${String(error)}`,
                        { cause: error },
                    );
                }
            }
            for (let turns = 0; connections.size > 0 && turns < 100; turns++) await turn();
            expect(connections.size).toBe(0);
            await server.store.namespaces.close();
        }
        expect(heldBytes() - before).toBeLessThan(MAX_GROWTH_BYTES);
    },
    Math.max(60_000, INPUTS * 10),
);
