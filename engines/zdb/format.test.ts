import * as fs from "node:fs";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { bytes, openStore, put, readValue, type Store } from "../../test/zdb/store.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import type { Namespace } from "./namespace.ts";
import { Seal } from "./seal.ts";

const FIXTURE = fileURLToPath(new URL("../../test/fixtures/zdb/v1", import.meta.url));

async function openFixture(): Promise<{ store: Store; directory: string }> {
    const directory = temporaryDirectory();
    fs.cpSync(FIXTURE, directory, { recursive: true });
    return { directory, store: await openStore(directory, { seal: new Seal(Buffer.alloc(32, "fixture")) }) };
}

function namespace({ namespaces }: Store, name: string): Namespace {
    const found = namespaces.get(name);
    if (!found) throw new Error(`no namespace ${name}`);
    return found;
}

const id = (number: number): Buffer => Buffer.from([number, 0, 0, 0, 0, 0, 0, 0]);

describe("a store of format version 1", () => {
    test("is read: values, updates, deletions, any bytes, over several segments", async () => {
        const { store } = await openFixture();
        const { standard, lines } = store;
        expect(lines).toEqual([]);
        expect(standard.entries).toBe(17);
        expect(standard.log.activeSegment).toBe(7);
        for (let place = 0; place < 20; place++) {
            const last = place < 10 ? place + 20 : place;
            const expected = place < 5 ? undefined : `value ${last} `.repeat(last);
            expect(readValue(standard, `key-${place}`)).toBe(expected);
        }
        expect(readValue(standard, Buffer.from([0, 255, 10, 13]))).toBe("\x01\x02\x03\x00\xff");
        expect(readValue(standard, "empty")).toBe("");
        await store.namespaces.close();
    });

    test("is read: sequential ids and where they go on", async () => {
        const { store } = await openFixture();
        const sequence = namespace(store, "sequence");
        expect(sequence.properties.mode).toBe("seq");
        expect([0, 1, 2].map((number) => readValue(sequence, id(number)))).toEqual(["zero again", undefined, "two"]);
        expect(sequence.set(Buffer.alloc(0), bytes("next"), 1).key).toEqual(id(4));
        await store.namespaces.close();
    });

    test("is read: every property, the sealed password too", async () => {
        const { store } = await openFixture();
        expect(namespace(store, "locked").properties).toEqual({
            mode: "user",
            hook: "",
            password: "fixture-password",
            public: false,
            worm: true,
            access: "locked",
            maxsize: 123_456_789_012,
            durability: { kind: "interval", ms: 250 },
            listen: [
                { host: "127.0.0.1", port: 9901 },
                { host: "::1", port: 9902 },
            ],
        });
        await store.namespaces.close();
    });

    test("is written on", async () => {
        const { store, directory } = await openFixture();
        put(store.standard, "key-5", "newer");
        await store.namespaces.close();
        const again = await openStore(directory);
        expect(again.standard.entries).toBe(17);
        expect(readValue(again.standard, "key-5")).toBe("newer");
        expect(namespace(again, "locked").closedReason).toContain("sealed with another key");
        await again.namespaces.close();
    });
});

describe("a store of a later version", () => {
    test("is not touched", async () => {
        const directory = temporaryDirectory();
        fs.cpSync(FIXTURE, directory, { recursive: true });
        const file = `${directory}/sequence/d0`;
        const log = fs.readFileSync(file);
        log.writeUInt32LE(2, 8);
        log.writeUInt32LE(crc32(log.subarray(0, 124)), 124);
        fs.writeFileSync(file, log);
        const store = await openStore(directory);
        expect(namespace(store, "sequence").disturbance).toContain("segment format 2 is not known to this version");
        expect(() => put(namespace(store, "sequence"), "k", "x")).toThrow("read-only");
        await store.namespaces.close();
        expect(fs.readFileSync(file)).toEqual(log);
    });
});
