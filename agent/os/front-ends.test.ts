import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { frontEnds } from "./front-ends.ts";

const frame = (text: string, kind = "J"): Buffer => {
    const head = Buffer.alloc(5);
    head.writeUInt32LE(Buffer.byteLength(text));
    head.write(kind, 4, "latin1");
    return Buffer.concat([head, Buffer.from(text)]);
};

describe("a front end that is asked", () => {
    let directory: string;
    let server: Server | undefined;
    beforeEach(async () => {
        directory = await mkdtemp(`${tmpdir()}/zeroform-front-`);
    });
    afterEach(async () => {
        await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
        server = undefined;
        await rm(directory, { recursive: true, force: true });
    });
    const answering = async (answer: (socket: Socket, asked: Buffer) => void): Promise<string> => {
        const path = join(directory, "socket");
        server = createServer((socket) => socket.on("error", () => undefined).on("data", (asked) => answer(socket, asked)));
        await new Promise<void>((resolve) => server?.listen(path, resolve));
        return path;
    };

    it("answers in order, however its answers are cut", async () => {
        const path = await answering((socket, asked) => {
            expect(asked).toEqual(Buffer.concat([frame('{"op":"status"}'), frame('{"op":"explain"}')]));
            const all = Buffer.concat([frame('{"result":{"a":1}}'), frame('{"result":null}')]);
            socket.write(all.subarray(0, 7), () => socket.write(all.subarray(7)));
        });
        expect(await frontEnds.ask(path, ["status", "explain"])).toEqual([{ a: 1 }, null]);
    });

    it.each<[string, Buffer | undefined, RegExp]>([
        ["refuses", frame('{"error":{"failure":"stopped","message":"it ends"}}'), /it ends$/],
        ["says nothing", undefined, /silent for 0.1 s$/],
        ["sends something else", frame("HTTP/1.1"), /something else than JSON$/],
        ["answers with less", frame("{}"), /its answer is none$/],
        ["is somebody else", Buffer.from("HTTP/1.1 400 Bad Request"), /too long$/],
    ])("and %s", async (_, bytes, words) => {
        const path = await answering((socket) => bytes && socket.write(bytes));
        await expect(frontEnds.ask(path, ["status"], 100)).rejects.toThrow(words);
    });

    it("and is not there", async () => {
        await expect(frontEnds.ask(join(directory, "nobody"), ["status"])).rejects.toMatchObject({ code: "NOT_READY" });
    });
});
