import { describe, expect, test } from "vitest";
import { error } from "../../test/zdb/resp-client.ts";
import { startServer } from "../../test/zdb/running-server.ts";
import { follow } from "../../test/zdb/script.ts";

describe("server commands", () => {
    test("PING, TIME, INFO and what is not known", async () => {
        const client = await (await startServer()).client();
        await follow(client, [
            [["PING"], { status: "PONG" }],
            [["ping", "extra"], { status: "PONG" }],
            [["HELLO", "3", "AUTH", "ns", "pw"], error("ERR unknown command 'HELLO'")],
            [["CLIENT", "SETINFO", "LIB-NAME", "x"], error("Command not supported")],
            [["COMMAND"], error("Command not supported")],
            [["CONFIG", "GET", "save"], error("Command not supported")],
            [["P"], error("Command not supported")],
            [[""], error("Command not supported")],
            [["x".repeat(8178)], error("Command not supported")],
            [["PING"], { status: "PONG" }],
        ]);
        const time = (await client.call("TIME")) as string[];
        expect(time).toHaveLength(2);
        expect(Math.abs(Number(time[0]) - Date.now() / 1000)).toBeLessThan(60);
        const info = String(await client.call("INFO"));
        expect(info).toMatch(/^# server\nserver_name: 0-db \(zdb\)\n/);
        for (const key of ["instance_id", "boot_time", "uptime", "clients_lifetime", "commands_executed", "network_tx_mb"]) {
            expect(info).toMatch(new RegExp(`^${key}: \\S+$`, "m"));
        }
        expect(info).toContain("\nsequential_key_size: 8\n");
    });
});
