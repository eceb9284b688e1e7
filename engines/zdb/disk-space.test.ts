import { describe, expect, it } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { DiskSpace } from "./disk-space.ts";
import { DISK_FULL_PAUSE_MS, RESERVE_BYTES } from "./limits.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A server whose reserve of two pieces was given up to deletions on a disk that is full. */
const fullDisk = async () => {
    const clock = { nowMs: 0 };
    const disk = new MemoryDisk("/data");
    const space = new DiskSpace(disk, "/data", () => clock.nowMs);
    space.mayRewrite(RESERVE_BYTES);
    while (disk.contents("/data/.reserve").length < 2 * RESERVE_BYTES) await turn();
    disk.capacity = disk.usedBytes;
    while (space.giveUp());
    // What others have written into the room that it made.
    disk.capacity = disk.usedBytes;
    space.sawFull();
    const waitAWhile = () => {
        clock.nowMs += DISK_FULL_PAUSE_MS;
    };
    return { disk, space, waitAWhile };
};

describe("values on a disk that was full", () => {
    it("are refused until it is tried again, and as long as it is full", async () => {
        const { space, waitAWhile } = await fullDisk();
        expect(space.refusesValues).toBe(true);
        for (let times = 0; times < 3; times++) {
            waitAWhile();
            expect(space.refusesValues).toBe(true);
            await turn();
        }
    });

    it("are taken by the first try after somebody has made plenty of room, before the reserve is whole again", async () => {
        const { disk, space, waitAWhile } = await fullDisk();
        disk.capacity = 100 * RESERVE_BYTES;
        waitAWhile();
        expect(space.refusesValues).toBe(false);
        while (disk.contents("/data/.reserve").length < 2 * RESERVE_BYTES) await turn();
        expect(space.refusesValues).toBe(false);
    });

    it("wait for the reserve where there is little more room than for that", async () => {
        const { disk, space, waitAWhile } = await fullDisk();
        disk.capacity = disk.usedBytes + 2 * RESERVE_BYTES + 1_000;
        waitAWhile();
        expect(space.refusesValues).toBe(true);
        while (space.refusesValues) await turn();
        expect(disk.contents("/data/.reserve").length).toBe(2 * RESERVE_BYTES);
    });
});
