import { describe, expect, it } from "vitest";
import { mountOf, parseMountinfo, readMounts } from "./mountinfo.ts";

const RECORDED = [
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
    "23 22 0:21 / /proc rw,nosuid - proc proc rw",
    "31 22 7:3 / /var/lib/zeroform/mounts/lab rw,nosuid,nodev shared:9 - ext4 /dev/loop3 ro,errors=remount-ro",
    "32 22 7:4 / /var/lib/zeroform/mounts/lcd rw,nosuid,nodev master:9 - ext4 /dev/loop4 rw,errors=remount-ro,emergency_ro",
    "33 22 0:40 / /mnt/with\\040space ro - tmpfs tmpfs rw",
    "34 31 0:41 / /var/lib/zeroform/mounts/lab rw - tmpfs tmpfs rw",
    "",
].join("\n");

describe("mountinfo", () => {
    it("tells targets, devices, and what is read-only in either way", () => {
        const mounts = parseMountinfo(RECORDED);
        expect(mounts.map(({ target, readOnly }) => [target, readOnly])).toEqual([
            ["/", false],
            ["/proc", false],
            ["/var/lib/zeroform/mounts/lab", true],
            ["/var/lib/zeroform/mounts/lcd", true],
            ["/mnt/with space", true],
            ["/var/lib/zeroform/mounts/lab", false],
        ]);
        expect(mounts[2]?.device).toBe("7:3");
        expect(mounts[3]).toMatchObject({ follows: true, shared: false });
        expect(mounts[2]).toMatchObject({ follows: false, shared: true });
    });

    it("finds the mount that holds a path, the topmost where several are", () => {
        const mounts = parseMountinfo(RECORDED);
        expect(mountOf("/var/lib/zeroform/mounts/lab/file", mounts)?.type).toBe("tmpfs");
        expect(mountOf("/var/lib/zeroform/mounts/labels", mounts)?.target).toBe("/");
        expect(mountOf("/proc", mounts)?.type).toBe("proc");
    });

    it("reads the machine's own", async () => {
        expect(mountOf("/proc/self", await readMounts())?.type).toBe("proc");
    });
});
