import { describe, expect, test } from "vitest";
import { type FakeSocket, type InProcessServer, inProcessServer } from "../../test/zdb/in-process-server.ts";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { openStore, readValue } from "../../test/zdb/store.ts";
import { RECORD_HEAD_BYTES } from "./record.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import { Upkeep, type UpkeepParts } from "./upkeep.ts";

const SEGMENT_BYTES = 256 * 1024;
const KEYS = 200;
const CLIENTS = 4;
/** Seconds on a quiet machine, a minute where many tests run. */
const TIMEOUT_MS = 120_000;

/** Numbers that look random, the same in each run. */
function sequence(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
    };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A disk that tells after each write how much there is, and on which a rewriting takes longer than the writes that make it necessary. */
class MeasuredDisk extends MemoryDisk {
    wrote: () => void = () => undefined;

    override async readLater(fd: number, target: Buffer, offset: number, length: number, position: number): Promise<number> {
        for (let turns = 0; turns < 300; turns++) await turn();
        return super.readLater(fd, target, offset, length, position);
    }

    override write(fd: number, source: Buffer, offset: number, length: number, position: number): void {
        super.write(fd, source, offset, length, position);
        this.wrote();
    }
}

const upkeep = (parts: UpkeepParts): Upkeep => new Upkeep(parts);

/** Sends a request and waits for the answer. */
async function ask(socket: FakeSocket, ...args: string[]): Promise<string> {
    socket.taken = [];
    socket.emit("data", Buffer.from(`*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("")}`));
    while (socket.taken.length === 0) await turn();
    return Buffer.concat(socket.taken).toString();
}

/** The values of all keys, and what the versions before them take that are to be kept. */
class Versions extends Map<string, string> {
    historyBytes = 0;
    private readonly kept: number;
    private readonly before = new Map<string, number[]>();

    constructor(kept: number) {
        super();
        this.kept = kept;
    }

    override set(key: string, value: string): this {
        const before = this.get(key);
        if (before !== undefined) this.keep(key, RECORD_HEAD_BYTES + key.length + before.length);
        return super.set(key, value);
    }

    private keep(key: string, bytes: number): void {
        const sizes = [bytes, ...(this.before.get(key) ?? [])];
        this.before.set(key, sizes.slice(0, this.kept));
        if (this.kept > 0) this.historyBytes += bytes - (sizes[this.kept] ?? 0);
    }
}

async function overwrite({ connect }: InProcessServer, model: Map<string, string>, writesEach: number): Promise<void> {
    const work = Array.from({ length: CLIENTS }, async (_, client) => {
        const random = sequence(client + 1);
        const socket = connect();
        for (let count = 0; count < writesEach; count++) {
            // Each client has keys of its own, so that the last one to write is known.
            const key = `key-${client + CLIENTS * random(KEYS / CLIENTS)}`;
            const value = `${client}.${count}.`.padEnd(200 + random(2000), "v");
            expect(await ask(socket, "SET", key, value)).toBe(`$${key.length}\r\n${key}\r\n`);
            model.set(key, value);
        }
    });
    await Promise.all(work);
}

test("segments are a sixteenth of the quota, 16 to 64 MiB", async () => {
    const { standard } = await openStore("/data", { disk: new MemoryDisk("/data") });
    for (const [maxsizeMib, segmentMib] of [
        [0, 64],
        [8, 16],
        [512, 32],
        [4096, 64],
    ] as const) {
        await standard.setProperty({ name: "maxsize", text: String(maxsizeMib * 2 ** 20) });
        expect(standard.segmentBytes()).toBe(segmentMib * 2 ** 20);
    }
});

test("an empty namespace takes the header of a segment, not the room of one", async () => {
    const disk = new MemoryDisk("/data");
    const { namespaces } = await openStore("/data", { disk });
    const before = disk.usedBytes;
    for (let number = 0; number < 10; number++) await namespaces.create(`n${number}`);
    expect(disk.usedBytes - before).toBe(10 * SEGMENT_HEADER_BYTES);
});

describe("under steady overwrite", () => {
    const bound =
        "the segments take at most twice what is live or kept as history and two segments; writes wait for that and are not refused";
    test.each([0, 2])(`${bound} (%i versions kept)`, { timeout: TIMEOUT_MS }, async (kept) => {
        const disk = new MeasuredDisk("/data", "/index");
        const server = await inProcessServer(SEGMENT_BYTES, { disk, upkeep });
        if (kept > 0) await server.store.standard.setProperty({ name: "history", text: `count ${kept}` });
        const { segments, measures } = server.store.standard;
        const model = new Versions(kept);
        let worst = 0;
        let largest = 0;
        disk.wrote = () => {
            const used = disk.bytesIn("/data/default");
            largest = Math.max(largest, used);
            worst = Math.max(worst, used - 2 * (segments.liveBytes + model.historyBytes) - 2 * SEGMENT_BYTES);
        };
        await overwrite(server, model, 1000);
        expect(worst).toBe(0);
        expect(measures.compactions).toBeGreaterThan(5);
        expect(measures.delayedWrites).toBeGreaterThan(0);
        expect(largest).toBeGreaterThan(segments.liveBytes);
        await server.store.namespaces.close();
        const { standard } = await openStore("/data", { disk });
        expect(standard.entries).toBe(model.size);
        for (const [key, value] of model) expect(readValue(standard, key)).toBe(value);
    });
});

describe("a disk that is full of values", () => {
    const SMALL_SEGMENT = 16 * 1024;

    /** Sets keys until the disk is full; the ones it took. */
    async function fill(socket: FakeSocket): Promise<string[]> {
        const keys: string[] = [];
        for (;;) {
            const key = `key-${keys.length}`;
            const answer = await ask(socket, "SET", key, `${key}.`.padEnd(500, "v"));
            if (answer.includes("the disk is full")) return keys;
            expect(answer).toContain(key);
            keys.push(key);
        }
    }

    test("takes every deletion of every namespace, gets room by rewriting, and takes values again", { timeout: TIMEOUT_MS }, async () => {
        const disk = new MemoryDisk("/data", "/index");
        const options = { disk, upkeep, reserveBytes: 64 * 1024 };
        const server = await inProcessServer(SMALL_SEGMENT, options);
        const { namespaces } = server.store;
        const sockets = await Promise.all(["one", "two"].map(async (name) => server.connect({ namespace: await namespaces.create(name) })));
        // A first closed segment, so that the reserve has room for a rewriting before the disk is small.
        for (const socket of sockets) for (let key = 0; key < 60; key++) await ask(socket, "SET", `first-${key}`, "v".repeat(400));
        expect(disk.contents("/data/.reserve").length).toBeGreaterThan(64 * 1024 + SMALL_SEGMENT / 2);
        disk.capacity = disk.usedBytes + 300_000;
        const kept = await Promise.all(sockets.map((socket) => fill(socket)));
        for (const keys of kept) expect(keys.length).toBeGreaterThan(5);

        for (const [place, socket] of sockets.entries()) {
            // All but a few: they have to be there in the end.
            for (const key of (kept[place] ?? []).slice(5)) expect(await ask(socket, "DEL", key)).toBe("+OK\r\n");
        }
        for (const socket of sockets) {
            for (let tries = 0; (await ask(socket, "SET", "after", "room")).startsWith("-"); tries++) {
                expect(tries).toBeLessThan(1000);
                server.timers.advance(1001);
                await turn();
            }
        }
        expect(disk.usedBytes).toBeLessThan(disk.capacity - 100_000);
        expect(disk.contents("/data/.reserve").length).toBeGreaterThan(64 * 1024 + SMALL_SEGMENT / 2);
        await namespaces.close();
        const again = await openStore("/data", { disk, reserveBytes: 64 * 1024 });
        for (const name of ["one", "two"]) {
            const namespace = again.namespaces.get(name);
            expect(namespace?.entries).toBe(60 + 5 + 1);
            expect(namespace && readValue(namespace, "after")).toBe("room");
        }
    });
});
