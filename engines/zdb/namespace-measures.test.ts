import { describe, expect, test } from "vitest";
import { inProcessServer } from "../../test/zdb/in-process-server.ts";
import { Latency } from "./latency.ts";
import { NamespaceMeasures } from "./namespace-measures.ts";

describe("a latency", () => {
    test("counts each duration in the first step that holds it, and adds up", () => {
        const latency = new Latency();
        latency.add(0.05);
        latency.add(0.051);
        latency.add(20, 3);
        latency.add(60_000);
        expect(latency.text).toBe(
            "50=1 100=2 250=2 500=2 1000=2 2500=2 5000=2 10000=2 25000=5 50000=5 100000=5 250000=5 500000=5 1000000=5 2500000=5 5000000=5 inf=6",
        );
        expect(latency.sumUs).toBe(50 + 51 + 60_000 + 60_000_000);
    });
});

describe("the figures of a namespace", () => {
    test("take the time of all commands of a turn together, and of answers that wait until they may go", () => {
        const measures = new NamespaceMeasures();
        expect(measures.count("read")).toBe(true);
        measures.holdsNext();
        measures.count("write");
        measures.holdsNext();
        measures.count("delete");
        expect(measures.count("scan")).toBe(false);
        measures.turnEnded(10, 12, 7, 5);
        expect([measures.readLatency.sumUs, measures.writeLatency.sumUs]).toEqual([2000, 0]);
        measures.acknowledged(6, 15);
        expect(measures.writeLatency.count).toBe(0);
        measures.acknowledged(7, 20);
        expect([measures.writeLatency.count, measures.writeLatency.sumUs]).toEqual([2, 20_000]);
        const { reads, writes, deletes, scans } = measures;
        expect({ reads, writes, deletes, scans }).toEqual({ reads: 1, writes: 1, deletes: 1, scans: 1 });
    });

    test("keep a bounded number of groups that wait, and forget none of their answers", () => {
        const measures = new NamespaceMeasures();
        for (let turn = 0; turn < 100; turn++) {
            measures.holdsNext();
            measures.count("write");
            measures.turnEnded(turn, turn, turn + 1, 0);
        }
        measures.acknowledged(99, 200);
        expect(measures.writeLatency.count).toBe(31);
        measures.acknowledged(100, 200);
        expect(measures.writeLatency.count).toBe(100);
    });

    test("are told by NSINFO", async () => {
        const server = await inProcessServer(600);
        const socket = server.connect();
        const ask = async (...args: string[]): Promise<string> => {
            socket.taken = [];
            socket.emit("data", Buffer.from(`*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("")}`));
            while (socket.taken.length === 0) await new Promise((resolve) => setImmediate(resolve));
            return Buffer.concat(socket.taken).toString();
        };
        for (let place = 0; place < 5; place++) await ask("SET", "key", `${place}`.repeat(200));
        await ask("GET", "key");
        await ask("GET", "absent");
        await ask("SCAN");
        await ask("DEL", "key");
        const lines = (await ask("NSINFO", "default")).split("\n");
        const value = (name: string): string => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
        expect([value("ops_read"), value("ops_write"), value("ops_delete"), value("ops_scan")]).toEqual(["2", "5", "1", "1"]);
        expect(value("read_us")).toMatch(/^50=2 .* inf=2$/);
        expect(value("write_us")).toMatch(/ inf=6$/);
        expect(Number(value("fsync_us").split("inf=")[1])).toBeGreaterThan(0);
        expect(value("log_live_bytes")).toBe("0");
        const parts = ["log_live_bytes", "log_kept_bytes", "log_dead_bytes"].map((name) => Number(value(name)));
        expect(parts.reduce((sum, part) => sum + part)).toBe(Number(value("log_bytes")));
        expect(Number(value("compaction_debt_bytes"))).toBeGreaterThan(0);
        await server.store.namespaces.close();
    });
});
