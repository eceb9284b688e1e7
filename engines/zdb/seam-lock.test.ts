import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { startServer } from "../../test/zdb/running-server.ts";

describe("one server for a directory", () => {
    test("a second one is refused, the directory is free when the first has ended", async () => {
        const server = await startServer();
        await expect(startServer([], path.dirname(server.data))).rejects.toThrow(`another server uses ${server.data}`);
        await server.stop();
        const again = await startServer([], path.dirname(server.data));
        expect(await (await again.client()).call("PING")).toEqual({ status: "PONG" });
    });
});
