import { describe, expect, test } from "vitest";
import { METADATA, MemoryStore, read, SECRET } from "../../test/zstor/memory-store.ts";
import { type Backend, BackendError } from "./backend.ts";
import { StoreError } from "./object-api.ts";
import { openStore } from "./opening.ts";
import { statusOf } from "./status.ts";
import type { Store } from "./store.ts";

const NEW = "memory://m5";
/** The last of four has another in its place. */
const EXCHANGED = [...METADATA.slice(0, 3), NEW];
const GONE = METADATA[3] ?? "";
/** Longer than any pause between attempts. */
const PATIENCE_MS = 200_000;

async function opened(seed = 1) {
    const memory = new MemoryStore(seed);
    await memory.create();
    const store = await memory.open({ snapshotBytes: 1500 });
    for (let index = 0; index < 12; index++) await memory.put(store, `object ${index % 4}`, Buffer.from(`content ${index}`));
    return { memory, store };
}

const round = (memory: MemoryStore, store: Store) => memory.clock.run(store.caretaker.round());

async function exchange(memory: MemoryStore, store: Store, metadata: readonly string[], writeQuorum = 3): Promise<void> {
    store.exchange.want({ metadata, writeQuorum });
    await round(memory, store);
}

/** A network with what another one holds: making a store for each cut anew would be most of the work. */
function copyOf({ network }: MemoryStore, seed: number): MemoryStore {
    const memory = new MemoryStore(seed);
    for (const [url, { values }] of network.namespaces)
        for (const [key, value] of values) memory.network.namespace(url).values.set(key, value);
    return memory;
}

async function expectContents(memory: MemoryStore, store: Store): Promise<void> {
    for (let index = 0; index < 4; index++) expect((await memory.get(store, `object ${index}`)).toString()).toBe(`content ${index + 8}`);
}

/** Every replica has all that the chain in force names, and of what was taken out nothing is left but the mark. */
async function expectWhole(memory: MemoryStore, store: Store, metadata: readonly string[]): Promise<void> {
    await round(memory, store);
    expect([...store.config.metadata].sort()).toEqual([...metadata].sort());
    const { live } = store.journal;
    for (const url of metadata) {
        const keys = [...memory.network.namespace(url).values.keys()];
        expect(keys.filter((key) => key.startsWith("s"))).toHaveLength(1);
        expect(keys).toEqual(expect.arrayContaining(["epoch", "member"]));
        expect(keys.filter((key) => key.startsWith("j")).length).toBeGreaterThanOrEqual(live?.batches.length ?? 1);
        expect(keys.filter((key) => key.startsWith("p"))).toHaveLength(live?.snapshot?.pages.length ?? 0);
    }
}

describe("a metadata replica is exchanged", () => {
    test("when its node is gone: the new one has everything, counts from then on, and the store bears the next loss", async () => {
        const { memory, store } = await opened();
        memory.network.namespace(GONE).isDown = true;
        await exchange(memory, store, EXCHANGED);
        await expectWhole(memory, store, EXCHANGED);
        expect(statusOf(store).metadata).toMatchObject({ configuration: 2, replicas: 4, quorum: 3, removed: ["memory://m4"] });
        // Another one may be lost now, of those that were there from the beginning.
        memory.replica(0).isDown = true;
        await memory.put(store, "after", Buffer.from("the next loss"));
        const again = await memory.open({}, [NEW]);
        await expectContents(memory, again);
        expect((await memory.get(again, "after")).toString()).toBe("the next loss");
    });

    test("while it still answers: it is emptied, says that it is none any more, and a stale front end is told by its url", async () => {
        const { memory, store } = await opened();
        await exchange(memory, store, EXCHANGED);
        expect([...memory.network.namespace(GONE).values.keys()]).toEqual(["member"]);
        expect(statusOf(store).metadata.removed).toEqual([]);
        await expect(memory.open({}, [GONE])).rejects.toMatchObject({ failure: "removed", message: /give one that the store has now/ });
        await expectContents(memory, await memory.open({}, [GONE, METADATA[1] ?? ""]));
    });

    test("which had been emptied and was written to since, without a mark: what is there is found to be this store's, and goes", async () => {
        const { memory, store } = await opened();
        const { values } = memory.network.namespace(GONE);
        values.clear();
        for (let index = 8; index < 12; index++) await memory.put(store, `object ${index % 4}`, Buffer.from(`content ${index}`));
        await memory.clock.run(store.rotateSecret("another horse battery staple"));
        expect([values.size > 4, values.has("member")]).toEqual([true, false]);
        store.exchange.want({ metadata: EXCHANGED, writeQuorum: 3 });
        // Before it is filled again.
        await memory.clock.run(store.exchange.round());
        expect([...values.keys()]).toEqual(["member"]);
        await expectContents(memory, store);
        // And it can be taken in again as it is.
        await exchange(memory, store, METADATA);
        await expectWhole(memory, store, METADATA);
    });

    test("which holds another store by now: nothing of that is touched", async () => {
        const { memory, store } = await opened();
        const { values } = memory.network.namespace(GONE);
        values.clear();
        await memory.create({ metadata: [GONE], writeQuorum: 1 });
        const other = await memory.open({}, [GONE]);
        await memory.put(other, "theirs", Buffer.from("of another store"));
        const theirs = [...values];
        await exchange(memory, store, EXCHANGED);
        expect(statusOf(store).metadata.removed).toEqual([]);
        for (const [key, value] of theirs) expect(values.get(key)).toBe(value);
    });

    test("and one that was away meanwhile leads whoever starts from it to those in force", async () => {
        const { memory, store } = await opened();
        memory.network.namespace(GONE).isDown = true;
        await exchange(memory, store, EXCHANGED);
        // All of the new set's quorum but one of the old ones.
        memory.replica(0).isDown = true;
        await memory.put(store, "object 0", Buffer.from("content 8"));
        Object.assign(memory.network.namespace(GONE), { isDown: false });
        const stale = await memory.open({}, [GONE]);
        expect(stale.config).toMatchObject({ metadata: EXCHANGED, configuration: 2 });
        await expectContents(memory, stale);
        await memory.put(stale, "more", Buffer.from("written by the stale one, to the replicas in force"));
        await round(memory, stale);
        expect([...memory.network.namespace(GONE).values.keys()]).toEqual(["member"]);
    });

    test.each([
        ["three with two that agree", METADATA.slice(0, 3), 2, ["memory://m1", "memory://m2", NEW]],
        ["one", METADATA.slice(0, 1), 1, [NEW]],
        ["two", METADATA.slice(0, 2), 2, [NEW, "memory://m2"]],
    ])("of a store with %s", async (_, metadata, writeQuorum, wanted) => {
        const memory = new MemoryStore();
        await memory.create({ metadata, writeQuorum });
        const store = await memory.open({}, metadata);
        for (let index = 0; index < 12; index++) await memory.put(store, `object ${index % 4}`, Buffer.from(`content ${index}`));
        await exchange(memory, store, wanted, writeQuorum);
        await expectWhole(memory, store, wanted);
        await expectContents(memory, await memory.open({}, [NEW]));
    });

    test("one after the other until all are other ones, and a front end with the old urls and its own view goes on", async () => {
        const { memory, store } = await opened();
        const wanted = ["memory://n1", "memory://n2", "memory://n3", "memory://n4"];
        await exchange(memory, store, wanted);
        await expectWhole(memory, store, wanted);
        expect(store.config.configuration).toBe(5);
        for (const url of METADATA) expect([...memory.network.namespace(url).values.keys()]).toEqual(["member"]);
        await expectContents(memory, await memory.open({}, [...METADATA, "memory://n2"]));
    });

    test("more and fewer of them, one at a time; a list that is much shorter is refused with its reason", async () => {
        const { memory, store } = await opened();
        const five = [...METADATA, NEW];
        await exchange(memory, store, five, 4);
        await expectWhole(memory, store, five);
        expect(statusOf(store).metadata).toMatchObject({ replicas: 5, quorum: 4 });
        await exchange(memory, store, METADATA.slice(0, 2), 2);
        expect(store.config.metadata).toEqual(five);
        expect(statusOf(store).warnings.join()).toContain("has 5 metadata namespaces and 2 are listed: it gives up one at a time");
        await exchange(memory, store, METADATA);
        await expectWhole(memory, store, METADATA);
        await expectContents(memory, await memory.open());
    });
});

describe("an exchange waits, and says why, when the new namespace", () => {
    test.each([
        ["does not answer", (memory: MemoryStore) => Object.assign(memory.network.namespace(NEW), { isDown: true }), /connection refused/],
        [
            "is not empty",
            (memory: MemoryStore) => memory.network.namespace(NEW).values.set("x", { value: Buffer.from("y"), writtenMs: 0 }),
            /it is not empty, .* give an empty namespace/,
        ],
        ["has no room", (memory: MemoryStore) => Object.assign(memory.network.namespace(NEW), { limitBytes: 500 }), /No space left/],
    ])("%s", async (_, spoil, why) => {
        const { memory, store } = await opened();
        spoil(memory);
        await exchange(memory, store, EXCHANGED);
        expect(store.config).toMatchObject({ metadata: METADATA, configuration: 1 });
        expect(statusOf(store).metadata.exchange).toMatchObject({
            joining: NEW,
            leaving: GONE,
            phase: "filling",
            why: expect.stringMatching(why),
        });
        expect(statusOf(store).warnings.join()).toMatch(why);
        await memory.put(store, "object 0", Buffer.from("content 8"));
        const { values } = memory.network.namespace(NEW);
        values.delete("x");
        Object.assign(memory.network.namespace(NEW), { isDown: false, limitBytes: undefined });
        store.caretaker.start();
        await memory.clock.pass(PATIENCE_MS);
        await expectWhole(memory, store, EXCHANGED);
        await expectContents(memory, store);
    });

    test("holds another store, which stays what it is", async () => {
        const { memory, store } = await opened();
        await memory.create({ metadata: [NEW], writeQuorum: 1 });
        const other = await memory.open({}, [NEW]);
        await memory.put(other, "theirs", Buffer.from("of another store"));
        await exchange(memory, store, EXCHANGED);
        expect(statusOf(store).metadata.exchange?.why).toContain("holds the metadata of another store");
        expect((await memory.get(await memory.open({}, [NEW]), "theirs")).toString()).toBe("of another store");
    });
});

describe("a replica that lost what it held", () => {
    test("does not count before it is filled again: what it forgot is never taken for the truth", async () => {
        const memory = new MemoryStore();
        await memory.create({ metadata: METADATA.slice(0, 3), writeQuorum: 2 });
        const store = await memory.open();
        memory.replica(2).isDown = true;
        await memory.put(store, "object", Buffer.from("on two of three"));
        await memory.clock.run(store.close());
        // One of the two comes back with nothing, the other one is away: the third has never heard of the object.
        Object.assign(memory.replica(2), { isDown: false });
        memory.replica(1).values.clear();
        memory.replica(0).isDown = true;
        await expect(memory.open()).rejects.toMatchObject({ failure: "no-quorum", message: /has lost what it held/ });
        memory.replica(0).isDown = false;
        const again = await memory.open();
        expect((await memory.get(again, "object")).toString()).toBe("on two of three");
        await round(memory, again);
        await expectWhole(memory, again, METADATA.slice(0, 3));
        memory.replica(0).isDown = true;
        expect((await memory.get(await memory.open(), "object")).toString()).toBe("on two of three");
    });

    test("while the front end runs is noticed with the next write, filled, and told of", async () => {
        const { memory, store } = await opened();
        memory.replica(1).values.clear();
        await memory.put(store, "object 0", Buffer.from("content 8"));
        await memory.clock.pass(1000);
        expect(statusOf(store).metadata.members).toContainEqual({ name: "memory://m2", state: "empty" });
        expect(statusOf(store).warnings.join()).toContain("memory://m2 is empty or damaged, and does not count");
        await round(memory, store);
        expect(statusOf(store).metadata.members).toContainEqual({ name: "memory://m2", state: "ok" });
        await expectWhole(memory, store, METADATA);
    });
});

describe("a replica whose", () => {
    const flip = (memory: MemoryStore, key: string) => {
        const { values } = memory.replica(1);
        const entry = values.get(key);
        if (entry === undefined) throw new Error("there is no such value");
        const value = Buffer.from(entry.value);
        value.writeUInt8(value.readUInt8(25) ^ 1, 25);
        values.set(key, { ...entry, value });
    };

    test.each([
        ["mark is damaged", ["member"]],
        ["epoch is damaged", ["epoch"]],
        ["mark and epoch are damaged", ["member", "epoch"]],
    ])("%s does not count, and is made whole again by the scrub and the round after it", async (_, keys) => {
        const { memory, store } = await opened();
        for (const key of keys) flip(memory, key);
        await memory.clock.run(store.caretaker.scrub());
        expect(statusOf(store).metadata.members).toContainEqual({ name: "memory://m2", state: "empty" });
        await round(memory, store);
        expect(statusOf(store).metadata.members).toContainEqual({ name: "memory://m2", state: "ok" });
        await expectWhole(memory, store, METADATA);
        memory.replica(0).isDown = true;
        await expectContents(memory, await memory.open());
    });

    test("server cannot read its mark any more is given another one", async () => {
        const { memory } = await opened();
        let isUnreadable = true;
        const connect = (url: string): Backend => {
            const backend = memory.network.connect(url);
            const isMark = (key: Uint8Array) => url === METADATA[1] && Buffer.from(key).toString() === "member";
            return {
                ...backend,
                async get(key) {
                    if (isUnreadable && isMark(key)) throw new BackendError("damaged", "Internal Error");
                    return backend.get(key);
                },
                async set(key, value) {
                    await backend.set(key, value);
                    if (isMark(key)) isUnreadable = false;
                },
            };
        };
        const store = await memory.open({ connect });
        await memory.clock.run(store.caretaker.scrub());
        await round(memory, store);
        expect(isUnreadable).toBe(false);
        await expectWhole(memory, store, METADATA);
    });

    test("content was put back to that of an earlier front end is filled again", async () => {
        const { memory, store } = await opened();
        await memory.clock.run(store.close());
        const { values } = memory.replica(1);
        const older = [...values];
        const later = await memory.open();
        await memory.put(later, "object 0", Buffer.from("content 8"));
        await round(memory, later);
        values.clear();
        for (const [key, value] of older) values.set(key, value);
        await memory.clock.run(later.journal.verify());
        await memory.clock.pass(1000);
        expect(statusOf(later).metadata.members).toContainEqual({ name: "memory://m2", state: "empty" });
        await round(memory, later);
        await expectWhole(memory, later, METADATA);
    });
});

/** Calls `before` with the number of each write to metadata, which waits for it. */
function watched(memory: MemoryStore, before: (count: number) => Promise<void>) {
    let count = 0;
    return (url: string): Backend => {
        const backend = memory.network.connect(url);
        if (url.startsWith("memory://d")) return backend;
        return {
            ...backend,
            set: async (key, value) => {
                await before(++count);
                return backend.set(key, value);
            },
            delete: async (key) => {
                await before(++count);
                return backend.delete(key);
            },
        };
    };
}

const never = () => new Promise<void>(() => undefined);

/** A front end that is cut off before its `cut`th write to metadata of the exchange; tells whether it came so far. */
async function cutOff(memory: MemoryStore, cut: number): Promise<boolean> {
    let count = Number.NEGATIVE_INFINITY;
    let die: () => void = () => undefined;
    const death = new Promise<boolean>((resolve) => {
        die = () => resolve(true);
    });
    const connect = watched(memory, async () => {
        if (++count < cut) return;
        die();
        await never();
    });
    const store = await memory.open({ connect, snapshotBytes: 1500 });
    count = 0;
    store.exchange.want({ metadata: EXCHANGED, writeQuorum: 3 });
    return memory.clock.run(Promise.race([store.caretaker.round().then(() => false), death]));
}

/** Many stores one after the other, on a machine that may have much else to do. */
const PATIENT = { timeout: 300_000 };

test("cut off at any write of it, one set or the other is in force, nothing is lost, and the next front end goes on", PATIENT, async () => {
    const { memory: before, store } = await opened();
    await before.clock.run(store.close());
    const phases = new Set<string>();
    for (let cut = 1, isCut = true; isCut; cut++) {
        const memory = copyOf(before, cut);
        isCut = await cutOff(memory, cut);
        const given = [METADATA, [GONE, METADATA[0] ?? ""], [...METADATA, NEW]][cut % 3] ?? METADATA;
        const next = await memory.open({}, given);
        phases.add(phaseOf(next));
        await expectContents(memory, next);
        await exchange(memory, next, EXCHANGED);
        await expectWhole(memory, next, EXCHANGED);
        memory.replica(cut % 3).isDown = true;
        await expectContents(memory, await memory.open({}, [NEW]));
    }
    expect([...phases].sort()).toEqual(["both", "new", "old"]);
});

const phaseOf = ({ config }: Store): string => {
    if (config.previous) return "both";
    return config.metadata.includes(NEW) ? "new" : "old";
};

test(
    "two front ends at any step of it: the later one wins, what it acknowledged stays, and late writes of the other change nothing",
    PATIENT,
    async () => {
        const { memory: made, store } = await opened();
        await made.clock.run(store.close());
        for (let cut = 1, isMet = true; isMet; cut += 3) {
            const memory = copyOf(made, cut);
            let count = Number.NEGATIVE_INFINITY;
            let meet: () => void = () => undefined;
            let goOn: () => void = () => undefined;
            const meeting = new Promise<boolean>((resolve) => {
                meet = () => resolve(true);
            });
            const held = new Promise<void>((resolve) => {
                goOn = resolve;
            });
            const connect = watched(memory, async () => {
                if (++count < cut) return;
                meet();
                await held;
            });
            const first = await memory.open({ connect, snapshotBytes: 1500 });
            count = 0;
            first.exchange.want({ metadata: EXCHANGED, writeQuorum: 3 });
            const exchanging = first.caretaker.round();
            isMet = await memory.clock.run(Promise.race([exchanging.then(() => false), meeting]));
            const later = await memory.open({}, [...METADATA, NEW]);
            await memory.put(later, "object 0", Buffer.from("content 8"));
            goOn();
            await memory.clock.run(exchanging);
            await memory.put(later, "late", Buffer.from("after the late writes"));
            await expect(memory.put(first, "late", Buffer.from("too late"))).rejects.toBeInstanceOf(StoreError);
            await exchange(memory, later, EXCHANGED);
            await expectWhole(memory, later, EXCHANGED);
            const last = await memory.clock.run(openStore(memory.parts(), SECRET, [NEW]));
            await expectContents(memory, last);
            expect((await memory.clock.run(read(last, "late"))).toString()).toBe("after the late writes");
        }
    },
);

test("puts and reads go on meanwhile, whatever the new namespace does", async () => {
    const { memory, store } = await opened();
    Object.assign(memory.network.namespace(NEW), { loss: 0.2, replyLoss: 0.2, delayMs: 2000 });
    store.exchange.want({ metadata: EXCHANGED, writeQuorum: 3 });
    store.caretaker.start();
    for (let index = 0; index < 40; index++) {
        await memory.put(store, `object ${index % 4}`, Buffer.from(`content ${8 + (index % 4)}`));
        await memory.clock.pass(5_000);
        await expectContents(memory, store);
    }
    Object.assign(memory.network.namespace(NEW), { loss: 0, replyLoss: 0, delayMs: 5 });
    await memory.clock.pass(PATIENCE_MS);
    await expectWhole(memory, store, EXCHANGED);
});

test("a store of the first version is given marks, and only then exchanges anything", async () => {
    const { memory, store } = await opened();
    await memory.clock.run(store.reconfigure({ configuration: undefined }));
    for (const index of METADATA.keys()) memory.replica(index).values.delete("member");
    memory.network.namespace(GONE).isDown = true;
    const again = await memory.open();
    expect(again.config.configuration).toBeUndefined();
    await exchange(memory, again, EXCHANGED);
    expect(again.config.configuration).toBe(2);
    await expectWhole(memory, again, EXCHANGED);
    await expectContents(memory, await memory.open({}, [NEW]));
});
