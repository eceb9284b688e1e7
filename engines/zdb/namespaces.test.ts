import { describe, expect, test } from "vitest";
import { Random } from "../../test/faults/random.ts";
import { FragileDevice } from "../../test/zdb/fragile-device.ts";
import { FragileDisk, NO_TROUBLE } from "../../test/zdb/fragile-disk.ts";
import { openStore, put, readValue, type Store } from "../../test/zdb/store.ts";
import { Refusal } from "./refusal.ts";

interface Begun extends Store {
    readonly device: FragileDevice;
    readonly disk: FragileDisk;
}

async function begun(): Promise<Begun> {
    const device = new FragileDevice(512);
    const disk = new FragileDisk(device, { random: new Random(1) });
    disk.makeDirectory("/data");
    disk.syncDirectory("/");
    return { ...(await openStore("/data", { disk, mode: "seq" })), device, disk };
}

/** On a disk whose `operations`th directory cannot be synced any more. */
async function refused(disk: FragileDisk, work: () => Promise<unknown>): Promise<void> {
    disk.trouble = { ...NO_TROUBLE, sync: 1 };
    await expect(work()).rejects.toThrow(Refusal);
    disk.trouble = NO_TROUBLE;
}

describe("when the disk cannot sync a name", () => {
    test("a namespace that could not be made leaves nothing, and can be made later", async () => {
        const { disk, namespaces } = await begun();
        await refused(disk, () => namespaces.create("one"));
        expect(namespaces.get("one")).toBeUndefined();
        const one = await namespaces.create("one");
        one.set(Buffer.alloc(0), Buffer.from("v"), 1);
        await namespaces.close();
        expect(disk.openFiles).toBe(0);
    });

    test("a namespace that could not be made does not come back in parts: read-only for ever, and its name taken", async () => {
        for (let seed = 1; seed < 20; seed++) {
            const { disk, device, namespaces } = await begun();
            // Of the names, only the one that the namespace has at last cannot be brought to the disk.
            const syncDirectory = disk.syncDirectory.bind(disk);
            disk.syncDirectory = (directory) => {
                if (directory === "/data") throw Object.assign(new Error("EIO"), { code: "EIO" });
                syncDirectory(directory);
            };
            await expect(namespaces.create("one")).rejects.toThrow("Could not create namespace (EIO)");
            await turn();
            disk.kill();
            const random = new Random(seed);
            const after = new FragileDisk(device.afterPowerLoss(random), { random });
            const again = await openStore("/data", { disk: after, mode: "seq", power: { mayHaveBeenLost: true } });
            expect(again.namespaces.get("one")?.disturbance).toBeUndefined();
            expect([...again.namespaces.unavailable()]).toEqual([]);
        }
    });

    test("a namespace that could not be removed for good is gone all the same: nobody writes what the next start removes", async () => {
        const { disk, device, namespaces } = await begun();
        const one = await namespaces.create("one");
        const key = put(one, "", "v");
        await one.log.commit();
        await refused(disk, () => namespaces.remove("one"));
        expect(one.gone).toBe(true);
        expect(namespaces.get("one")).toBeUndefined();
        disk.kill();
        for (let seed = 1; seed < 20; seed++) {
            // Back as a whole, or not at all.
            const random = new Random(seed);
            const after = new FragileDisk(device.afterPowerLoss(random), { random });
            const back = (await openStore("/data", { disk: after, mode: "seq" })).namespaces.get("one");
            if (back) expect(readValue(back, key)).toBe("v");
        }
    });
});

/** Work that nobody waits for has its turn. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
