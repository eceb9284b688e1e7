import { describe, expect, test } from "vitest";
import { Random } from "../../test/faults/random.ts";
import { FragileDevice } from "../../test/zdb/fragile-device.ts";
import { FragileDisk, NO_TROUBLE } from "../../test/zdb/fragile-disk.ts";
import { ManualTimers } from "../../test/zdb/manual-timers.ts";
import { openStore, put, readValue, type Store } from "../../test/zdb/store.ts";
import { emptyLog } from "./namespace-emptying.ts";

const options = { segmentBytes: 400, durability: { kind: "commit" } } as const;
const power = { mayHaveBeenLost: true };

/** A device on which a server did `work` until it was killed in the middle of its operation number `operations`; undefined: it did all. */
async function killedDuring(operations: number, work: (store: Store) => unknown): Promise<FragileDevice | undefined> {
    const device = new FragileDevice(64);
    const random = new Random(operations);
    const disk = new FragileDisk(device, { random });
    disk.makeDirectory("/data");
    disk.syncDirectory("/");
    // Time stands still: the same work is the same operations on any machine.
    const store = await openStore("/data", { ...options, disk, timers: new ManualTimers() });
    disk.dieAfter(operations);
    try {
        await work(store);
    } catch (error) {
        if (!disk.isDead) throw error;
    }
    const hasAll = !disk.isDead;
    disk.kill();
    return hasAll ? undefined : device;
}

/** What the next server found and added is there when the power was lost after it. */
async function expectKept(device: FragileDevice, name: string, seed: number): Promise<void> {
    const random = new Random(seed);
    const disk = new FragileDisk(device, { random });
    const { namespaces } = await openStore("/data", { ...options, disk });
    const found = namespaces.get(name);
    if (!found) return;
    const before = readValue(found, "k");
    put(found, "new", "v");
    await found.log.commit();
    disk.kill();
    const after = new FragileDisk(device.afterPowerLoss(random), { random });
    const again = (await openStore("/data", { ...options, disk: after, power })).namespaces.get(name);
    expect(again?.disturbance).toBeUndefined();
    expect(again && readValue(again, "k")).toBe(before);
    expect(again && readValue(again, "new")).toBe("v");
}

test.each<[what: string, name: string, work: (store: Store) => unknown]>([
    ["a namespace that was made", "one", ({ namespaces }) => namespaces.create("one")],
    [
        "a segment that was begun",
        "default",
        ({ standard }) => {
            put(standard, "k", "v".repeat(200));
            put(standard, "l", "v".repeat(200));
        },
    ],
    [
        "a segment that was rewritten",
        "default",
        async ({ standard }) => {
            for (let round = 0; round < 4; round++) put(standard, "k", `${round}`.repeat(200));
            await standard.upkeep.rewrite(standard.segments.closed);
        },
    ],
])("%s when the server was killed and that the next one found outlives a power loss", async (_what, name, work) => {
    let operations = 0;
    for (let device = await killedDuring(operations, work); device; device = await killedDuring(operations, work)) {
        // A power loss leaves another device each time, and the one before as it was but for what it kept of the names.
        for (let seed = 1; seed <= 8; seed++) {
            const again = await killedDuring(operations, work);
            if (again) await expectKept(again, name, seed);
        }
        operations++;
    }
    expect(operations).toBeGreaterThan(3);
});

const LAST = "3".repeat(200);

const overwrite = async ({ standard }: Store): Promise<void> => {
    for (let round = 0; round < 4; round++) put(standard, "k", `${round}`.repeat(200));
    await standard.log.commit();
};

test.each<[what: string, kept: readonly (string | undefined)[], work: (store: Store) => Promise<unknown>]>([
    [
        "rewritten",
        [LAST],
        async (store) => {
            await overwrite(store);
            await store.standard.upkeep.rewrite(store.standard.segments.closed);
        },
    ],
    [
        "emptied",
        [LAST, undefined],
        async (store) => {
            await overwrite(store);
            await store.namespaces.renew("default", emptyLog);
        },
    ],
])(
    "a log that was %s does not come back in parts when the power goes while the next start removes what it stands for",
    async (_, kept, work) => {
        let all = 0;
        while (await killedDuring(all, work)) all++;
        let losses = 0;
        // Before that nothing stands for anything else.
        for (let operations = Math.max(0, all - 8); operations < all; operations++) {
            for (let startOperations = 0, isThrough = false; !isThrough; startOperations++) {
                for (let seed = 1; seed <= 6; seed++) {
                    const device = await killedDuring(operations, work);
                    if (!device) throw new Error("the same work took fewer operations than before");
                    const random = new Random(seed);
                    const starting = new FragileDisk(device, { random });
                    starting.dieAfter(startOperations);
                    await openStore("/data", { ...options, disk: starting }).catch(() => undefined);
                    isThrough = !starting.isDead;
                    starting.kill();
                    const after = new FragileDisk(device.afterPowerLoss(random), { random });
                    const { standard } = await openStore("/data", { ...options, disk: after, power });
                    expect(standard.disturbance).toBeUndefined();
                    expect(kept).toContain(readValue(standard, "k"));
                    losses++;
                }
            }
        }
        expect(losses).toBeGreaterThan(0);
    },
);

test("what a failed sync lost of the disk's memory is on the disk once a start has found it", async () => {
    const device = new FragileDevice(64);
    const random = new Random(1);
    const disk = new FragileDisk(device, { random });
    disk.makeDirectory("/data");
    disk.syncDirectory("/");
    const { standard } = await openStore("/data", { ...options, disk });
    for (const key of ["k", "l", "m"]) put(standard, key, "v".repeat(300));
    disk.trouble = { ...NO_TROUBLE, sync: 1 };
    await expect(standard.log.commit()).rejects.toThrow();
    disk.kill();
    const next = new FragileDisk(device, { random });
    expect((await openStore("/data", { ...options, disk: next })).standard.entries).toBe(3);
    next.kill();
    for (let seed = 1; seed < 20; seed++) {
        const after = new FragileDisk(device.afterPowerLoss(new Random(seed)), { random });
        expect((await openStore("/data", { ...options, disk: after, power })).standard.entries).toBe(3);
    }
});

describe("a segment that was made in vain and could not be removed", () => {
    /** Its header was written, its sync failed, and so did its removal. */
    async function madeInVain(seed: number) {
        const device = new FragileDevice(64);
        const disk = new FragileDisk(device, { random: new Random(seed) });
        disk.makeDirectory("/data");
        disk.syncDirectory("/");
        const store = await openStore("/data", { ...options, disk });
        put(store.standard, "k", "v");
        await store.standard.log.commit();
        const create = disk.create.bind(disk);
        disk.create = (file) => {
            const fd = create(file);
            disk.trouble = { ...NO_TROUBLE, sync: 1, name: 1 };
            return fd;
        };
        expect(() => store.standard.nextSegment()).toThrow("Cannot write data right now (EIO)");
        disk.create = create;
        disk.trouble = NO_TROUBLE;
        expect(disk.list("/data/default").sort()).toEqual(["d0", "d1"]);
        return { ...store, device, disk };
    }

    test("is in nobody's way", async () => {
        const { standard, namespaces } = await madeInVain(1);
        standard.nextSegment();
        put(standard, "l", "w");
        expect([readValue(standard, "k"), readValue(standard, "l")]).toEqual(["v", "w"]);
        await namespaces.close();
    });

    test("and that the next start goes on in has its header on the disk then, which its failed sync may have lost", async () => {
        for (let seed = 1; seed < 20; seed++) {
            const { device, disk } = await madeInVain(seed);
            disk.kill();
            const random = new Random(seed);
            const next = new FragileDisk(device, { random });
            const { standard } = await openStore("/data", { ...options, disk: next });
            expect(standard.log.activeSegment).toBe(1);
            put(standard, "l", "w");
            await standard.log.commit();
            next.kill();
            const after = await openStore("/data", { ...options, disk: new FragileDisk(device.afterPowerLoss(random), { random }), power });
            expect(after.standard.disturbance).toBeUndefined();
            expect([readValue(after.standard, "k"), readValue(after.standard, "l")]).toEqual(["v", "w"]);
        }
    });
});
