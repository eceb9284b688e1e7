import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { parseListeners, ports } from "./ports.ts";

describe("listening sockets", () => {
    it("are read from the kernel's tables in both families", () => {
        const table = [
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
            "   0: 0100007F:26AC 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0",
            "   1: 0B0A000A:0016 0A00000A:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0",
            "   2: 00000000000000000000000000000000:26AC 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4713 1",
            "   3: B80D0120000000000000000001000000:26AD 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4714 1",
            "   4: 0000000000000000FFFF00000100007F:26AE 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4715 1",
        ].join("\n");
        expect(parseListeners(table)).toEqual([
            { address: "127.0.0.1", port: 9900, inode: 4711 },
            { address: "::", port: 9900, inode: 4713 },
            { address: "2001:db8::1", port: 9901, inode: 4714 },
            { address: "127.0.0.1", port: 9902, inode: 4715 },
        ]);
    });

    it("are found with the process that holds them", async () => {
        const server = createServer();
        const port = await new Promise<number>((resolve) =>
            server.listen(0, "127.0.0.1", () => {
                const address = server.address();
                resolve(typeof address === "object" ? (address?.port ?? 0) : 0);
            }),
        );
        try {
            const found = (await ports.listeners()).find((listener) => listener.port === port);
            expect(found?.address).toBe("127.0.0.1");
            expect(found && (await ports.holder(found))).toContain(`(pid ${process.pid})`);
        } finally {
            server.close();
        }
    });
});
