import { describe, expect, test } from "vitest";
import { encodeRequest, error, ok } from "../../test/zdb/resp-client.ts";
import { startServer } from "../../test/zdb/running-server.ts";
import { words } from "../../test/zdb/script.ts";

describe("WAIT", () => {
    test("is answered by the command of another client of the namespace, once, and never between the parts of an answer", async () => {
        const server = await startServer();
        const [waiter, other, far] = [await server.client(), await server.client(), await server.client()];
        await other.call(...words("NSNEW far"));
        await far.call(...words("SELECT far"));
        await other.call("SET", "k", "v".repeat(250_000));

        waiter.send(encodeRequest(words("WAIT exists 60000")));
        expect(await waiter.call("PING")).toEqual({ status: "PONG" });
        for (const request of ["SET a 1", "GET a", "BOGUS"]) await other.call(...words(request));
        await far.call("EXISTS", "a");
        expect(await waiter.call("EXISTS", "a")).toBe(1);
        expect(await other.call("EXISTS", "")).toEqual(error("Invalid argument"));
        expect(await waiter.reply()).toEqual({ status: "EXISTS" });
        expect(await waiter.call("PING")).toEqual({ status: "PONG" });

        // It comes while the waiter is being sent 10 MB that it does not take yet.
        waiter.socket.pause();
        waiter.send(Buffer.concat([encodeRequest(words("WAIT *")), encodeRequest(["MGET", ...Array.from({ length: 40 }, () => "k")])]));
        await other.call("PING");
        for (let round = 0; round < 20; round++) await other.call("PING");
        waiter.socket.resume();
        const replies = await waiter.replies(2);
        expect(replies.find((reply) => Array.isArray(reply))).toHaveLength(40);
        expect(replies.find((reply) => !Array.isArray(reply))).toEqual({ status: "PING" });
    });

    test("a later wish replaces the one before; a time-out is said; the namespace counts where both are at that moment", async () => {
        const server = await startServer();
        const [waiter, other] = [await server.client(), await server.client()];
        await other.call(...words("NSNEW one"));
        waiter.send(encodeRequest(words("WAIT GET 60000")));
        waiter.send(encodeRequest(words("WAIT SELECT 60000")));
        waiter.send(encodeRequest(words("SELECT one")));
        expect(await waiter.reply()).toEqual(ok);
        await other.call(...words("GET k"));
        await other.call(...words("SELECT one"));
        expect(await waiter.reply()).toEqual({ status: "SELECT" });
        expect(await waiter.call(...words("WAIT PING 100"))).toEqual(error("Timeout"));
    });
});

describe("STOP", () => {
    test("ends the server where an option allows it, for administrators", async () => {
        const without = await (await startServer()).client();
        expect(await without.call("STOP")).toEqual({ status: "Unauthorized" });
        expect(await without.call("PING")).toEqual({ status: "PONG" });

        const server = await startServer(["--allow-stop", "--admin", "secret"]);
        const client = await server.client();
        expect(await client.call("STOP")).toEqual({ status: "Unauthorized" });
        await client.call("AUTH", "secret");
        expect(await client.call("STOP")).toEqual({ status: "Stopping" });
        expect(await server.ended).toBe(0);
        expect(server.lines).toEqual(["ready", "STOP of a client, stopping", "stopped"]);
    });
});
