import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Resource } from "../../agent/primitives/driver.ts";
import { mountPointOf } from "../../agent/primitives/zmount-places.ts";
import { powerOff, powerOn } from "../../dev/hosts/index.ts";
import { mintTenantId } from "../../protocol/ids.ts";
import { prefixOf } from "../prefix.ts";
import { changed, Rig } from "./driver/rig.ts";

const MIB = 2 ** 20;

/** Loop devices stand for disks: without autoclear they stay when nothing is mounted from them, as disks do. */
describe("a ZMount on a block device of a real host", () => {
    let rig: Rig;
    const loops = new Set<string>();
    beforeAll(async () => {
        rig = await Rig.start(prefixOf("v"), 2 * 2 ** 30);
    });
    afterEach((context) => rig.tidy(context));
    afterAll(async () => {
        await rig?.sh([...loops].map((loop) => `losetup -d ${loop} || true`).join("\n"));
        await rig?.stop();
    });

    const file = (name: string) => `/var/lib/zeroform/${name}.disk`;
    const attach = async (name: string) => {
        const loop = await rig.sh(`losetup --find --show ${file(name)}`);
        loops.add(loop);
        return loop;
    };
    const detach = async (loop: string) => {
        await rig.sh(`losetup -d ${loop}`);
        loops.delete(loop);
    };
    /** A new disk, and a name of it that stays. */
    const disk = async (name: string, mib = 64) => {
        await rig.sh(`truncate -s ${mib}M ${file(name)}`);
        return attach(name);
    };
    const named = async (name: string, loop: string) => {
        await rig.sh(`mkdir -p /dev/disk/by-id; ln -sfn ${loop} /dev/disk/by-id/${name}`);
        return `/dev/disk/by-id/${name}`;
    };
    const on = (device: string, more: Readonly<Record<string, unknown>> = {}) =>
        rig.mount("disk", "", { size: undefined, device, ...more });
    const at = (mount: Resource) => mountPointOf(mount.life);
    const seen = async (mount: Resource) => (await rig.run("observe", mount)) as { readonly state: string; readonly why?: string };
    const isReady = async (mount: Resource) => expect(await seen(mount)).toMatchObject({ state: "ready" });
    const made = async (device: string, more: Readonly<Record<string, unknown>> = {}) => {
        const mount = on(device, more);
        await rig.run("admit", mount);
        await rig.run("apply", mount);
        await isReady(mount);
        return mount;
    };
    const gone = async (mount: Resource) => {
        await rig.run("remove", mount);
        await rig.run("purge", mount);
    };

    it("takes all of it, under whatever name it comes back, and leaves it empty", async () => {
        const first = await disk("stays");
        const device = await named("stays", first);
        const mount = await made(device);
        expect(await seen(mount)).toMatchObject({ outputs: { path: at(mount), sizeBytes: 64 * MIB } });
        expect(await rig.sh(`findmnt -no SOURCE,FSTYPE,OPTIONS ${at(mount)}`)).toMatch(
            new RegExp(`^${first} +ext4 +rw,nosuid,nodev,.*errors=remount-ro`),
        );
        await rig.sh(`echo kept > ${at(mount)}/file`);

        // Another disk has its name after the next boot.
        await powerOff(rig.host);
        await powerOn(rig.host);
        loops.clear();
        await rig.sh(`mkdir -p /dev/disk/by-id; truncate -s 64M ${file("other")}`);
        expect(await seen(mount)).toMatchObject({ state: "drifted", why: "not mounted" });
        await expect(rig.run("apply", mount)).rejects.toMatchObject({
            code: "NOT_READY",
            retryable: true,
            message: expect.stringContaining(`which was made on ${device}`),
        });
        const [other, again] = [await attach("other"), await attach("stays")];
        await named("stays", other);
        const mountUnit = await rig.sh(`systemd-escape -p --suffix=mount ${at(mount)}`);
        await rig.sh(`systemctl start ${mountUnit}; findmnt -no SOURCE ${at(mount)} | grep -x ${again}`);
        await isReady(mount);
        expect(await rig.sh(`cat ${at(mount)}/file; cmp -n ${64 * MIB} ${other} /dev/zero`)).toBe("kept");

        // Its disk is grown, and then somebody takes away what can be taken.
        await rig.sh(`truncate -s 160M ${file("stays")}; losetup -c ${again}`);
        expect(await seen(mount)).toMatchObject({ why: "its file system has not grown to its device's size yet" });
        await rig.run("apply", mount);
        expect(await seen(mount)).toMatchObject({ state: "ready", outputs: { sizeBytes: 160 * MIB } });
        expect(Number(await rig.sh(`findmnt -bno SIZE ${at(mount)}`))).toBeGreaterThan(140 * MIB);
        const drifts = [
            { line: `umount ${at(mount)}`, is: "not mounted" },
            { line: `rm /etc/systemd/system/${mountUnit}`, is: "unit files" },
            {
                line: `umount ${at(mount)}; rm /var/lib/zeroform/services/zmount-*.env; ln -sfn ${again} ${device}`,
                is: "record of its device is gone",
            },
            { line: `umount ${at(mount)}; mount -t tmpfs none ${at(mount)}`, is: "something else" },
            { line: `echo 1 > /sys/fs/ext4/$(basename ${again})/trigger_fs_error`, is: "read-only after an error" },
        ];
        for (const { line, is } of drifts) {
            await rig.sh(line);
            expect((await seen(mount)).why, line).toContain(is);
            await rig.run("apply", mount);
            await isReady(mount);
            expect(await rig.sh(`cat ${at(mount)}/file`), line).toBe("kept");
        }

        await gone(mount);
        expect(await rig.sh(`wipefs --no-act ${again}; ls /run/zeroform-devices /var/lib/zeroform/mounts`)).not.toMatch(/ext4|^l/m);
        // What was made empty can be taken again.
        const next = await made(again);
        await gone(next);
    });

    it.each([
        { filesystem: "xfs", mib: 320 },
        { filesystem: "btrfs", mib: 160 },
    ])("has $filesystem on it when that is asked for, grown with its disk", async ({ filesystem, mib }) => {
        const loop = await disk(filesystem, mib);
        const mount = await made(loop, { filesystem });
        expect(await rig.sh(`findmnt -no FSTYPE ${at(mount)}`)).toBe(filesystem);
        await rig.sh(`truncate -s ${mib + 100}M ${file(filesystem)}; losetup -c ${loop}`);
        await rig.run("apply", mount);
        expect(await seen(mount)).toMatchObject({ state: "ready", outputs: { sizeBytes: (mib + 100) * MIB } });
        await gone(mount);
        await detach(loop);
    });

    it("is refused a device that may be anybody's, and does not touch it", async () => {
        const loop = await disk("foreign", 32);
        const refused = async (device: string, why: RegExp, more: Readonly<Record<string, unknown>> = {}) =>
            expect(rig.run("admit", on(device, more)), String(why)).rejects.toMatchObject({
                code: "INVALID",
                message: expect.stringMatching(why),
            });
        await refused("/dev/none", /^device \/dev\/none is not there$/);
        await refused("/etc/hostname", /is not a block device$/);
        await refused(loop, /has 32MiB: a ZMount on xfs is at least 300MiB$/, { filesystem: "xfs" });
        const partition = String.raw`printf '\0\0\2\0\203\0\0\0\0\10\0\0\0\40\0\0' | dd of=X bs=1 seek=446; printf '\125\252' | dd of=X bs=1 seek=510`;
        const lvm = String.raw`printf 'LABELONE\1\0\0\0\0\0\0\0\310\144\44\227\40\0\0\0LVM2 001' | dd of=X bs=1 seek=512`;
        const contents = [
            { line: "mke2fs -q -t ext4 X", is: /it has ext4 on it/ },
            { line: "mkswap -q X", is: /it has swap on it/ },
            { line: partition, is: /it has dos on it/ },
            { line: lvm, is: /it has LVM2_member on it|its first MiB is not zero/ },
            { line: "echo data | dd of=X bs=1 seek=5000", is: /its first MiB is not zero$/ },
            { line: "echo data | dd of=X bs=1M seek=31", is: /its last MiB is not zero$/ },
        ];
        for (const { line, is } of contents) {
            await rig.sh(`dd if=/dev/zero of=${loop} bs=1M count=32 status=none; (${line.replaceAll("X", loop)}) 2>&1; sync`);
            const before = await rig.sh(`sha256sum < ${loop}`);
            await refused(loop, is);
            expect(await rig.sh(`sha256sum < ${loop}`), line).toBe(before);
        }
        await rig.sh(`dd if=/dev/zero of=${loop} bs=1M count=32 status=none`);
        await rig.sh(
            `systemd-run --quiet --unit=opener sh -c 'exec sleep 600 <${loop}'; while ! systemctl is-active -q opener; do :; done`,
        );
        await refused(loop, /sleep \(pid \d+\) has it open$/);
        await expect(rig.run("apply", on(loop))).rejects.toThrow("has it open");
        await rig.sh(`systemctl stop opener; mke2fs -q -t ext4 ${loop}; mkdir -p /mnt/f; mount ${loop} /mnt/f`);
        await refused(loop, /it is mounted at \/mnt\/f$/);
        await rig.sh(`umount /mnt/f; dd if=/dev/zero of=${loop} bs=1M count=32 status=none; losetup -r -f ${loop}`);
        const onLoop = await rig.sh(`losetup -nO NAME -j ${loop}`);
        await refused(loop, new RegExp(`${onLoop} is made of it$`));
        await refused(onLoop, /is read-only$/);
        await rig.sh(`losetup -d ${onLoop}`);
        await detach(loop);
    });

    it("is the only one on its device; its data wait there in the trash, and come back", async () => {
        const loop = await disk("one");
        const mount = await made(loop);
        const alias = await named("one", loop);
        const second = { ...on(alias), name: "second" };
        await expect(rig.run("admit", second, { resources: [mount] })).rejects.toThrow('it is that of ZMount "disk"');
        const stranger = { ...second, tenant: mintTenantId() };
        await expect(rig.run("admit", stranger, { resources: [mount] })).rejects.toThrow('it is that of ZMount "disk" of another Node');
        await expect(rig.run("apply", second)).rejects.toThrow(`it is mounted at ${at(mount)}`);

        await rig.sh(`echo old > ${at(mount)}/file; systemd-run --quiet --unit=user sh -c 'cd ${at(mount)}; exec sleep 600'`);
        await expect(rig.run("remove", mount)).rejects.toMatchObject({ code: "IN_USE", message: expect.stringContaining("sleep (pid") });
        await rig.sh("systemctl stop user");
        for (const cutAfterMs of [90, 130]) await rig.cutOff("remove", mount, cutAfterMs);
        await rig.run("remove", mount);
        await rig.run("remove", mount);
        expect(await rig.run("trashed", mount)).toBe(64 * MIB);

        await rig.run("admit", second);
        await expect(rig.run("apply", second)).rejects.toMatchObject({
            message: expect.stringContaining(`the data of ${mount.life} are on it, in the trash`),
            hint: expect.stringContaining(`zeroform trash restore ${mount.life}`),
        });
        await expect(rig.run("restore", rig.mount("image", "64MiB"), { from: mount, own: "/none" })).rejects.toThrow(
            "the trashed data are on device",
        );
        await expect(rig.run("restore", changed(second, { filesystem: "xfs" }), { from: mount, own: "/none" })).rejects.toThrow(
            "are on ext4",
        );
        const elsewhere = await disk("elsewhere");
        await expect(rig.run("restore", changed(second, { device: elsewhere }), { from: mount, own: "/none" })).rejects.toThrow(
            `are not on ${elsewhere}`,
        );
        await rig.run("restore", second, { from: mount, own: "/none" });
        await rig.run("restore", second, { from: mount, own: "/none" });
        await rig.run("apply", second);
        await isReady(second);
        expect(await rig.sh(`cat ${at(second)}/file`)).toBe("old");

        // Its disk is pulled out while its data are in the trash.
        await rig.run("remove", second);
        await detach(loop);
        expect(await rig.run("trashed", second)).toBe(64 * MIB);
        await expect(rig.run("purge", second)).rejects.toMatchObject({
            code: "NOT_READY",
            message: expect.stringContaining("its device is not there"),
        });
        const again = await attach("one");
        await rig.run("purge", second);
        expect(await rig.run("trashed", second)).toBe(0);
        expect(await rig.sh(`cmp -n ${MIB} ${again} /dev/zero; ls -A /var/lib/zeroform/services`)).not.toContain(second.life);
    });

    it("is made by whoever comes after a cut, wherever that was", async () => {
        const loop = await disk("cut");
        for (const cutAfterMs of [110, 160, 230]) {
            const mount = on(loop);
            await rig.cutOff("apply", mount, cutAfterMs);
            await rig.run("apply", mount);
            await isReady(mount);
            await rig.cutOff("remove", mount, cutAfterMs);
            await rig.run("remove", mount);
            await rig.cutOff("purge", mount, cutAfterMs);
            await rig.run("purge", mount);
        }
        expect(await rig.sh("ls /var/lib/zeroform/services /var/lib/zeroform/pool/.trash /run/zeroform-devices")).not.toMatch(
            /^zmount|\.device$|^l/m,
        );
    });
});
