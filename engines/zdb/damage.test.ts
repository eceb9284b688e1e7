import { expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { openStore, put, readValue } from "../../test/zdb/store.ts";
import type { Namespace } from "./namespace.ts";

const LOG = "/data/one/d0";

/** Where each record of the log of namespace `one` begins, in the order of `steps`, and the disk as a kill leaves it. */
async function written(...steps: ((one: Namespace) => unknown)[]): Promise<{ readonly disk: MemoryDisk; readonly starts: number[] }> {
    const disk = new MemoryDisk("/data");
    const { namespaces } = await openStore("/data", { disk });
    const one = await namespaces.create("one");
    const starts: number[] = [];
    for (const step of steps) {
        starts.push(one.log.activeOffset);
        await step(one);
    }
    const killed = disk.copy();
    await namespaces.close();
    return { disk: killed, starts };
}

/** The namespace after one bit of its log was flipped. */
async function damaged(disk: MemoryDisk, at: number, name = LOG): Promise<Namespace | undefined> {
    const copy = disk.copy();
    const log = copy.contents(name);
    log[at] = (log[at] ?? 0) ^ 1;
    copy.replace(name, log);
    const { namespaces, standard } = await openStore("/data", { disk: copy });
    return name === LOG ? namespaces.get("one") : standard;
}

const password = (one: Namespace) => one.setProperty({ name: "password", text: "pw" });
const isPrivate = (one: Namespace) => one.setProperty({ name: "public", text: "0" });
const set =
    (key: string, value = "v") =>
    (one: Namespace) =>
        put(one, key, value);

test("damage shuts a namespace whose password is known, because it may have been private", async () => {
    const { disk, starts } = await written(password, isPrivate, set("k"), set("l"));
    const one = await damaged(disk, (starts[1] ?? 0) + 8);
    expect(one?.properties).toMatchObject({ password: "pw", public: true });
    expect(one?.disturbance).toMatch(/^closed \(its log is damaged .*\), read-only \(the log is damaged at d0 offset \d+, record 2/);
});

test("an unreadable text of a property, a lost header, an unreadable tail and a log without segments shut too", async () => {
    const { disk, starts } = await written(password, isPrivate, set("k"), set("l"));
    const text = await damaged(disk, (starts[2] ?? 0) - 1);
    expect(text?.disturbance).toContain("closed (its log is damaged");
    expect((await damaged(disk, 20))?.disturbance).toContain("closed (");
    disk.remove(LOG);
    const { namespaces } = await openStore("/data", { disk });
    expect(namespaces.get("one")?.disturbance).toContain("closed (its log is damaged");
    expect(namespaces.get("one")?.disturbance).toContain("read-only (its log has no segment)");
});

test("a lost record that a later one supersedes was a value: the namespace stays open for reading", async () => {
    const { disk, starts } = await written(password, isPrivate, set("k"), set("l"), set("k", "newer"), set("m"));
    const one = await damaged(disk, (starts[2] ?? 0) + 8);
    expect(one?.disturbance).toMatch(/^read-only \(/);
    expect(one?.closedReason).toBeUndefined();
    expect(one && readValue(one, "k")).toBe("newer");
    // Nothing tells what this one was.
    expect((await damaged(disk, (starts[3] ?? 0) + 8))?.disturbance).toMatch(/^closed \(/);
});

test("default, which never has a password, stays open", async () => {
    const disk = new MemoryDisk("/data");
    const { standard } = await openStore("/data", { disk });
    const start = standard.log.activeOffset;
    put(standard, "a", "1");
    put(standard, "b", "2");
    const open = await damaged(disk.copy(), start + 8, "/data/default/d0");
    expect(open?.disturbance).toMatch(/^read-only \(/);
    expect(open && readValue(open, "b")).toBe("2");
});
