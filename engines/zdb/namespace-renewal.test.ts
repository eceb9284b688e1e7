import { describe, expect, test } from "vitest";
import { makeCertificate } from "../../test/zdb/certificates.ts";
import { inProcessServer } from "../../test/zdb/in-process-server.ts";
import { ManualTimers } from "../../test/zdb/manual-timers.ts";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { encodeRequest } from "../../test/zdb/resp-client.ts";
import { bytes, openStore, put, readValue } from "../../test/zdb/store.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { emptyLog } from "./namespace-emptying.ts";
import { applyProperty, newProperties } from "./properties.ts";
import { Seal } from "./seal.ts";

const SEGMENTS = { segmentBytes: 1024 };

/** A namespace with some segments, properties of all kinds, and its disk. */
async function filled(disk = new MemoryDisk("/data")) {
    const store = await openStore("/data", { disk, ...SEGMENTS });
    const one = await store.namespaces.create("one");
    for (const [name, text] of [
        ["password", "pw"],
        ["public", "0"],
        ["maxsize", "100000"],
        ["durability", "none"],
        ["listen", "127.0.0.1:1"],
    ] as const)
        await one.setProperty({ name, text });
    for (let number = 0; number < 40; number++) put(one, `key-${number}`, "v".repeat(100));
    return { ...store, disk, one };
}

const PROPERTIES = {
    password: "pw",
    public: false,
    maxsize: 100_000,
    durability: { kind: "none" },
    listen: [{ host: "127.0.0.1", port: 1 }],
};

test("a namespace that is emptied keeps its properties only, over restarts too, and leaves no file of before", async () => {
    const { namespaces, disk, one } = await filled();
    expect(disk.list("/data/one").length).toBeGreaterThan(3);
    await namespaces.renew("one", emptyLog);
    const emptied = namespaces.get("one");
    if (!emptied) throw new Error("it is gone");
    expect(one.gone).toBe(true);
    expect(disk.list("/data/one")).toEqual(["d0"]);
    expect(emptied.log.epoch).toBeGreaterThan(one.log.epoch);
    expect([emptied.entries, emptied.liveBytes, emptied.nextId()]).toEqual([0, 0, 0]);
    expect(emptied.properties).toMatchObject(PROPERTIES);
    put(emptied, "new", "value");
    await namespaces.close();

    const again = (await openStore("/data", { disk, ...SEGMENTS })).namespaces.get("one");
    expect(again?.properties).toMatchObject(PROPERTIES);
    expect(again?.entries).toBe(1);
});

test("a disk that fails leaves all as it was, and says so", async () => {
    const { namespaces, disk } = await filled();
    // The log is closed in order before anything is changed.
    const failing = namespaces.renew("one", (parts, namespace) => {
        disk.failWrites = true;
        try {
            emptyLog(parts, namespace);
        } finally {
            disk.failWrites = false;
        }
    });
    await expect(failing).rejects.toThrow("Internal Server Error");
    const one = namespaces.get("one");
    if (!one) throw new Error("it is gone");
    expect(one.entries).toBe(40);
    expect(readValue(one, "key-7")).toBe("v".repeat(100));
    put(one, "more", "value");
    expect(one.properties).toMatchObject(PROPERTIES);
});

test("a stop between the new segment and the removal of the old ones leaves the emptied namespace", async () => {
    const { namespaces, disk } = await filled();
    await expect(
        namespaces.renew("one", (parts, namespace) => {
            emptyLog(parts, namespace);
            throw new Error("stopped here");
        }),
    ).rejects.toThrow("stopped here");
    expect(namespaces.get("one")?.entries).toBe(0);
    expect(disk.list("/data/one")).toEqual(["d0"]);
});

test("commands that come while a namespace is opened anew wait and are carried out in the new one, in order", async () => {
    const server = await inProcessServer(64 * 1024);
    const { store, timers } = server;
    const [client, admin] = [server.connect(), server.connect()];
    const settle = async (): Promise<void> => {
        for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
        timers.advance(10);
    };
    client.emit("data", encodeRequest(["SET", "k", "before"]));
    await settle();
    admin.emit("data", encodeRequest(["RELOAD", "default"]));
    const requests = [["GET", "k"], ["SET", "k", "after"], ["MGET", "k", "absent"], ["DBSIZE"], ["PING"]];
    client.emit("data", Buffer.concat(requests.map(encodeRequest)));
    await settle();
    expect(Buffer.concat(client.taken).toString()).toBe(
        "$1\r\nk\r\n$6\r\nbefore\r\n$1\r\nk\r\n*2\r\n$5\r\nafter\r\n$-1\r\n:1\r\n+PONG\r\n",
    );
    expect(Buffer.concat(admin.taken).toString()).toBe("+OK\r\n");
    expect(store.namespaces.get("default")).not.toBe(store.standard);
    expect(store.namespaces.get("default")?.find(bytes("k"))).toBeDefined();
});

test("what was written is on disk before its namespace is opened anew, and no timer of the old one is left", async () => {
    const timers = new ManualTimers();
    const disk = new MemoryDisk("/data");
    const { namespaces, standard } = await openStore("/data", { disk, timers });
    put(standard, "k", "v");
    await namespaces.renew("default");
    const syncs = disk.syncs;
    expect(syncs).toBeGreaterThan(0);
    const renewed = namespaces.get("default");
    expect(renewed && readValue(renewed, "k")).toBe("v");
    expect(timers.pending).toBe(0);
});

describe("a namespace whose secrets cannot be read", () => {
    const sealedWith = (letter: string): Seal => new Seal(Buffer.alloc(32, letter));
    const openOne = async (disk: MemoryDisk, seal: Seal) => {
        const store = await openStore("/data", { disk, seal });
        const one = store.namespaces.get("one");
        if (!one) throw new Error("it is gone");
        return { ...store, one };
    };

    /** A namespace with a password and certificate that were sealed with a key that its server has no more. */
    async function foreign(): Promise<MemoryDisk> {
        const disk = new MemoryDisk("/data");
        const { namespaces } = await openStore("/data", { disk, seal: sealedWith("a") });
        const { cert, key } = makeCertificate(temporaryDirectory(), "server");
        await namespaces.create("one", [
            { name: "password", text: "pw" },
            { name: "tls", text: JSON.stringify({ cert, key }) },
        ]);
        await namespaces.close();
        return disk;
    }

    test("that is emptied lets nobody in either, can be written to, and is open again once they are set anew", async () => {
        const disk = await foreign();
        const { namespaces, one } = await openOne(disk, sealedWith("b"));
        expect([one.closedReason, one.properties.tls?.kind]).toEqual([expect.stringContaining("another key"), "unreadable"]);
        await namespaces.renew("one", emptyLog);
        await namespaces.close();

        const { namespaces: later, one: emptied, lines } = await openOne(disk, sealedWith("b"));
        expect([emptied.closedReason, emptied.properties.tls?.kind]).toEqual([expect.stringContaining("password is lost"), "unreadable"]);
        expect([emptied.log.failure, lines]).toEqual([undefined, []]);
        await emptied.setProperties([
            { name: "password", text: "new" },
            { name: "tls", text: "" },
        ]);
        await later.close();
        const { one: open } = await openOne(disk, sealedWith("b"));
        expect([open.disturbance, open.properties.password, open.properties.tls]).toEqual([undefined, "new", undefined]);
    });

    test("that a release before emptied has a text that says so, which is no reason to refuse writes", () => {
        const properties = newProperties("user");
        expect(applyProperty(properties, { name: "tls", text: "unreadable" })).toBe(true);
        expect(properties.tls?.kind).toBe("unreadable");
        expect(applyProperty(properties, { name: "tls", text: "of a later version" })).toBe(false);
    });
});
