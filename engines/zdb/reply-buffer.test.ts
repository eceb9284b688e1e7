import { describe, expect, test } from "vitest";
import type { Gate } from "./gate.ts";
import { ATTACHED_BYTES } from "./limits.ts";
import { NoRoom, ReplyBuffer } from "./reply-buffer.ts";

const LARGE = Buffer.alloc(ATTACHED_BYTES, "v");
const LARGE_REPLY = `$${LARGE.length}\r\n${LARGE.toString()}\r\n`;

/** All that may be sent now. */
const taken = (replies: ReplyBuffer): string => Buffer.concat([...replies.takeSealed(), replies.take()]).toString();

const gate = (verdict: boolean): Gate => ({ keeper: { passes: () => verdict }, batch: undefined, lsn: 1 });

describe("large values that are not copied", () => {
    test("stand where they were added, and count", () => {
        const replies = new ReplyBuffer();
        replies.array(3);
        replies.attach(LARGE);
        replies.integer(4_294_967_296);
        replies.attach(Buffer.from("small"));
        const expected = `*3\r\n${LARGE_REPLY}:4294967296\r\n$5\r\nsmall\r\n`;
        expect(replies.size).toBe(expected.length);
        expect(taken(replies)).toBe(expected);
        expect(replies.size).toBe(0);
    });

    test("are taken back with what came after them, and what came before stays", () => {
        const replies = new ReplyBuffer();
        replies.ok();
        const before = replies.size;
        replies.attach(LARGE);
        const between = replies.size;
        replies.integer(0);
        replies.attach(LARGE);
        replies.rewind(between);
        replies.integer(7);
        replies.rewind(between);
        expect(replies.size).toBe(between);
        replies.rewind(before);
        replies.status("PONG");
        expect(taken(replies)).toBe("+OK\r\n+PONG\r\n");
    });

    test("wait behind an answer that is held, and answers behind them are held all the same", () => {
        const replies = new ReplyBuffer();
        replies.attach(LARGE);
        const from = replies.size;
        replies.integer(1);
        let isOpen = false;
        replies.hold(from, { ...gate(false), keeper: { passes: () => isOpen } });
        replies.attach(LARGE);
        expect(taken(replies)).toBe(LARGE_REPLY);
        isOpen = true;
        expect(taken(replies)).toBe(`:1\r\n${LARGE_REPLY}`);
    });

    test("are refused when there is no room for them", () => {
        const replies = new ReplyBuffer();
        replies.allowance = LARGE.length - 1;
        expect(() => replies.attach(LARGE)).toThrow(NoRoom);
        expect(replies.size).toBe(0);
    });
});

test("numbers of any sign and size", () => {
    const replies = new ReplyBuffer();
    for (const value of [0, 9, 10, 4_294_967_295, -1, -2_147_483_648]) replies.integer(value);
    expect(taken(replies)).toBe(":0\r\n:9\r\n:10\r\n:4294967295\r\n:-1\r\n:-2147483648\r\n");
});
