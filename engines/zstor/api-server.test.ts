import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { MemoryStore } from "../../test/zstor/memory-store.ts";
import { ApiClient } from "./api-client.ts";
import { ApiServer } from "./api-server.ts";
import { API_CONNECTIONS } from "./limits.ts";

test("more connections than there may be are refused with words, and there is room again when one has ended", async () => {
    const memory = new MemoryStore();
    await memory.create();
    const store = await memory.open();
    const server = new ApiServer(store);
    const path = join(temporaryDirectory(), "api.sock");
    await server.listen(path);
    onTestFinished(() => server.close());
    const others = await Promise.all(Array.from({ length: API_CONNECTIONS }, () => connected(path)));
    const refused = await ApiClient.open(path);
    await expect(refused.call({ op: "stat", name: "object" })).rejects.toThrow(`${API_CONNECTIONS} connections are open already`);
    refused.close();
    for (const socket of others) socket.destroy();
    await expect.poll(() => stat(path)).toBeNull();
});

function connected(path: string): Promise<Socket> {
    return new Promise((resolve, reject) => {
        const socket = connect(path, () => resolve(socket));
        socket.once("error", reject);
    });
}

async function stat(path: string): Promise<unknown> {
    const client = await ApiClient.open(path);
    try {
        return await client.call({ op: "stat", name: "object" });
    } catch (error) {
        return error;
    } finally {
        client.close();
    }
}
