import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Resource } from "../../agent/primitives/driver.ts";
import { mountPointOf, placesOf, trashedImage } from "../../agent/primitives/zmount-places.ts";
import { powerOff, powerOn } from "../../dev/hosts/index.ts";
import { prefixOf } from "../prefix.ts";
import { changed, Rig, trashedMount } from "./driver/rig.ts";

const MIB = 2 ** 20;
/** Live growth of ext4 is the kernel's privilege to give: `CAP_SYS_RESOURCE`. */
const CAP_SYS_RESOURCE = 24n;

describe("a ZMount on a real host", () => {
    let rig: Rig;
    beforeAll(async () => {
        rig = await Rig.start(prefixOf("d"), 2 * 2 ** 30);
    });
    afterEach((context) => rig.tidy(context));
    afterAll(() => rig?.stop());

    const image = (mount: Resource) => placesOf(mount as never).image;
    const at = (mount: Resource) => mountPointOf(mount.life);
    const isReady = async (mount: Resource) => expect(await rig.run("observe", mount)).toMatchObject({ state: "ready" });
    const why = async (mount: Resource) => {
        const seen = (await rig.run("observe", mount)) as { readonly state: string; readonly why?: string };
        return seen.why ?? seen.state;
    };
    const made = async (size: string, more: Readonly<Record<string, unknown>> = {}): Promise<Resource> => {
        const mount = rig.mount("disk", size, more);
        await rig.run("admit", mount);
        await rig.run("apply", mount);
        await isReady(mount);
        return mount;
    };
    const gone = async (...mounts: readonly Resource[]) => {
        for (const mount of mounts) {
            await rig.run("remove", mount);
            await rig.run("purge", mount);
        }
    };
    const reservedMiB = async (mount: Resource) => Math.floor(Number(await rig.sh(`stat -c '%b' ${image(mount)}`)) / 2_048);
    const sizeOf = async (mount: Resource) => Number(await rig.sh(`findmnt -bno SIZE ${at(mount)}`));

    it("has its space from the start, ends at its limit, and leaves the node well", async () => {
        const mount = await made("64MiB");
        expect(await reservedMiB(mount)).toBe(64);
        const free = Number(await rig.sh("stat -fc %a /var/lib/zeroform"));
        expect(await rig.sh(`dd if=/dev/zero of=${at(mount)}/full bs=1M 2>&1 || true`)).toContain("No space left on device");
        expect(Number(await rig.sh("stat -fc %a /var/lib/zeroform"))).toBeGreaterThan(free - 64);
        await rig.sh(`rm ${at(mount)}/full; sync; fstrim ${at(mount)} || true`);
        expect(await reservedMiB(mount)).toBe(64);
        await isReady(mount);
        await gone(mount);
    });

    it("grows in place; where the kernel cannot do that in use, it says who is in the way", async () => {
        const mount = await made("64MiB");
        const capabilities = BigInt(`0x${await rig.sh("sed -n 's/^CapEff:\\t//p' /proc/1/status")}`);
        const live = (capabilities & (1n << CAP_SYS_RESOURCE)) !== 0n;
        await rig.sh(`systemd-run --quiet --unit=writer sh -c 'exec >${at(mount)}/lines; while :; do echo line; sleep 0.01; done'`);
        const larger = changed(mount, { size: "160MiB" });
        await rig.run("admit", larger, { old: mount });
        if (live) await rig.run("apply", larger);
        else await expect(rig.run("apply", larger)).rejects.toThrow(/CAP_SYS_RESOURCE is missing\), and \S+ is in use by sh \(pid \d+\)/);
        await rig.sh("systemctl is-active writer; systemctl stop writer");
        await rig.run("apply", larger);
        await isReady(larger);
        expect(await sizeOf(larger)).toBeGreaterThan(140 * MIB);
        expect(await reservedMiB(larger)).toBe(160);
        expect(Number(await rig.sh(`wc -l < ${at(mount)}/lines`))).toBeGreaterThan(10);
        await expect(rig.run("admit", mount, { old: larger })).rejects.toMatchObject({
            code: "INVALID",
            message: expect.stringContaining("160MiB"),
        });
        expect(await rig.run("observe", mount)).toMatchObject({ state: "ready", actual: { size: "160MiB" } });
        await gone(larger);
    });

    it.each([
        { filesystem: "xfs", size: "300MiB", breaks: (at: string) => `xfs_io -x -c shutdown ${at}`, is: "shut down after an error" },
        { filesystem: "btrfs", size: "128MiB", breaks: (at: string) => `mount -o remount,ro ${at}`, is: "read-only after an error" },
    ])("has $filesystem on it, whole after a cut, grown in use, mended after an error", async ({ filesystem, size, breaks, is }) => {
        const mount = rig.mount("disk", size, { filesystem });
        for (const cutAfterMs of [150, 400]) await rig.cutOff("apply", mount, cutAfterMs);
        await rig.run("apply", mount);
        await isReady(mount);
        expect(await rig.sh(`findmnt -no FSTYPE,OPTIONS ${at(mount)}`)).toMatch(new RegExp(`^${filesystem} +rw,nosuid,nodev`));
        expect(await reservedMiB(mount)).toBe(Number.parseInt(size, 10));
        await rig.sh(`echo kept > ${at(mount)}/file; sync`);

        if (filesystem === "btrfs")
            await expect(rig.run("admit", changed(mount, { size: "200MiB" }), { old: mount })).rejects.toThrow(
                "btrfs grows to 256MiB or more",
            );
        const larger = changed(mount, { size: "400MiB" });
        await rig.run("admit", larger, { old: mount });
        await rig.sh(`systemd-run --quiet --unit=writer sh -c 'exec >${at(mount)}/lines; while :; do echo line; sleep 0.01; done'`);
        await rig.run("apply", larger);
        await rig.sh("systemctl is-active writer; systemctl stop writer");
        await isReady(larger);
        expect(await sizeOf(larger)).toBeGreaterThan(320 * MIB);
        expect(await reservedMiB(larger)).toBe(400);

        await rig.sh(breaks(at(mount)));
        expect(await why(larger)).toContain(is);
        await rig.run("apply", larger);
        await isReady(larger);
        expect(await rig.sh(`cat ${at(mount)}/file`)).toBe("kept");

        await rig.sh(`umount ${at(mount)}; dd if=/dev/urandom of=${image(mount)} bs=1M count=1 conv=notrunc status=none`);
        await expect(rig.run("apply", larger)).rejects.toThrow(`has no ${filesystem} file system any more`);
        await gone(larger);
    });

    it("is moved between pools with its data, whatever cuts it short, and there is room for it", async () => {
        const disks = ["ssd", "hdd"].map((name) => ({ file: `/var/lib/zeroform/${name}.img`, at: `/mnt/${name}` }));
        for (const { file, at: on } of disks)
            await rig.sh(`fallocate -l 256M ${file}; mkfs.ext4 -qF ${file}; mkdir -p ${on}; mount -o loop ${file} ${on}`);
        const mount = await made("96MiB", { pool: "/mnt/ssd" });
        const db = rig.zdb("db", { password: "given-password", port: 9_950 }, mount);
        await rig.run("apply", db);
        await rig.sh(`head -c 40M /dev/urandom > ${at(mount)}/file`);
        const sum = await rig.sh(`sha256sum < ${at(mount)}/file`);

        await expect(rig.run("admit", changed(mount, { pool: "/mnt/hdd", size: "300MiB" }), { old: mount })).rejects.toMatchObject({
            code: "NO_ROOM",
            message: expect.stringContaining("no room for 300MiB in /mnt/hdd"),
        });
        const moved = changed(mount, { pool: "/mnt/hdd", size: "100MiB" });
        await rig.run("admit", moved, { old: mount });
        expect(await why(moved)).toContain("its data are still in /mnt/ssd/zeroform, on the way to /mnt/hdd/zeroform");
        for (const cutAfterMs of [100, 180, 260, 350]) {
            await rig.cutOff("apply", moved, cutAfterMs);
            expect(await rig.sh("losetup -nO BACK-FILE | grep -c '/mnt/.*/zeroform/' || true")).toMatch(/^[01]$/);
        }
        const { said } = await rig.runAloud("apply", moved);
        await isReady(moved);
        expect(await rig.sh(`sha256sum < ${at(mount)}/file; findmnt -no SOURCE ${at(mount)} | xargs losetup -nO BACK-FILE`)).toBe(
            `${sum}\n${image(moved)}`,
        );
        if (said.length > 0) expect(said.join("; ")).toMatch(/copying|moving|checking|growing/);
        await rig.run("apply", db);
        expect(await rig.run("observe", db)).toMatchObject({ state: "ready" });
        await gone(db);
        expect(await rig.sh("ls -A /mnt/ssd")).toBe("lost+found");

        // On one file system it is only a matter of names.
        await rig.sh("mkdir /mnt/hdd/fast");
        const renamed = changed(moved, { pool: "/mnt/hdd/fast" });
        await rig.run("admit", renamed, { old: moved });
        expect((await rig.runAloud("apply", renamed)).said).toContain("moving it to /mnt/hdd/fast/zeroform, on the same file system");
        await isReady(renamed);
        expect(await rig.sh("ls -A /mnt/hdd")).toBe("fast\nlost+found");

        // Its removal half-way, and a pool that is away.
        const back = changed(renamed, { pool: "/mnt/ssd" });
        await rig.cutOff("apply", back, 150);
        await rig.sh(`cp -a /mnt/hdd/fast/zeroform/.pool /run/pool-mark; rm /mnt/hdd/fast/zeroform/.pool`);
        expect(await why(back)).toContain("its pool is not there: /mnt/hdd/fast/zeroform");
        await expect(rig.run("admit", back, { old: renamed })).rejects.toThrow("/mnt/hdd/fast/zeroform has no file");
        await rig.sh("mv /run/pool-mark /mnt/hdd/fast/zeroform/.pool");
        await rig.run("remove", back, { resources: [] });
        expect(await rig.sh("find /mnt -name '*.img*'")).toMatch(/^\/mnt\/(hdd\/fast|ssd)\/zeroform\/.trash\/\w+\.img$/);
        await rig.run("purge", (await rig.sh("find /mnt -name '*.img'")).includes("/hdd/") ? renamed : back);
        expect(await rig.sh("ls -A /mnt/ssd /mnt/hdd/fast")).toBe("/mnt/hdd/fast:\n\n/mnt/ssd:\nlost+found");
        for (const { file, at: on } of disks) await rig.sh(`umount ${on}; rm ${file}`);
    });

    it("is made and grown by whoever comes after a cut, wherever that was", async () => {
        for (const cutAfterMs of [90, 130, 170, 230]) {
            const mount = rig.mount("cut", "32MiB");
            await rig.cutOff("apply", mount, cutAfterMs);
            await rig.run("apply", mount);
            await isReady(mount);
            await rig.sh(`echo kept > ${at(mount)}/file; sync`);
            const larger = changed(mount, { size: "96MiB" });
            await rig.cutOff("apply", larger, cutAfterMs);
            await rig.run("apply", larger);
            await isReady(larger);
            expect(await sizeOf(larger)).toBeGreaterThan(80 * MIB);
            expect(await rig.sh(`cat ${at(mount)}/file`)).toBe("kept");
            await rig.cutOff("remove", larger, cutAfterMs);
            await gone(larger);
        }
        const left = await rig.sh("ls /var/lib/zeroform/pool /var/lib/zeroform/mounts /etc/systemd/system/zeroform.target.wants");
        expect(left).not.toMatch(/^l|mounts-l/m);
    });

    it("is healed whatever is taken from it by hand, and nothing is written into the hole", async () => {
        const mount = await made("64MiB");
        await rig.sh(`echo kept > ${at(mount)}/file`);
        const unit = placesOf(mount as never).mountUnit;
        const drifts = [
            { line: `umount ${at(mount)}`, is: "not mounted" },
            { line: `umount ${at(mount)}; systemctl daemon-reload; rm /etc/systemd/system/${unit}`, is: "unit files" },
            { line: `sed -i s/nodev,// /etc/systemd/system/${unit}`, is: "unit files" },
            { line: `rm /etc/systemd/system/zeroform.target.wants/${unit}`, is: "unit files" },
            { line: `fallocate -p -o 32M -l 8M ${image(mount)}`, is: "of its space were given away" },
            {
                line: `echo 1 > /sys/fs/ext4/$(basename $(findmnt -no SOURCE ${at(mount)}))/trigger_fs_error`,
                is: "read-only after an error",
            },
            { line: `umount ${at(mount)}; mount -t tmpfs none ${at(mount)}`, is: "something else is mounted" },
            { line: `umount ${at(mount)}; losetup -f ${image(mount)}`, is: "not mounted" },
        ];
        for (const { line, is } of drifts) {
            await rig.sh(line);
            expect(await why(mount), line).toContain(is);
            if (is === "not mounted") await expect(rig.sh(`touch ${at(mount)}/lost`), line).rejects.toThrow("not permitted");
            await rig.run("apply", mount);
            await isReady(mount);
            expect(await rig.sh(`cat ${at(mount)}/file`), line).toBe("kept");
        }
        expect(await rig.sh(`losetup -nO NAME -j ${image(mount)} | wc -l`)).toBe("1");
        await gone(mount);
    });

    it("whose image was deleted under it is not made anew before its data are given up", async () => {
        const mount = await made("32MiB");
        await rig.sh(`rm ${image(mount)}`);
        expect(await why(mount)).toContain("deleted while it is mounted");
        await expect(rig.run("apply", mount)).rejects.toThrow("copy them away");
        await rig.sh(`umount ${at(mount)}`);
        expect(await why(mount)).toBe("absent");
        await rig.run("apply", mount);
        await isReady(mount);
        await gone(mount);
    });

    it("that holds no file system any more is not formatted", async () => {
        const mount = await made("32MiB");
        await rig.sh(`umount ${at(mount)}; dd if=/dev/urandom of=${image(mount)} bs=1M count=1 conv=notrunc status=none`);
        await expect(rig.run("apply", mount)).rejects.toThrow("has no ext4 file system any more");
        await gone(mount);
    });

    it("comes back with the power, checked, without any agent", async () => {
        const mount = await made("64MiB");
        await rig.sh(`echo kept > ${at(mount)}/file; sync`);
        await powerOff(rig.host);
        await powerOn(rig.host);
        await isReady(mount);
        expect(await rig.sh(`cat ${at(mount)}/file`)).toBe("kept");
        expect(await rig.sh(`journalctl -b -o cat -u zeroform-fsck@${mount.life}`)).toContain(image(mount));
        await gone(mount);
    });

    it("stays while somebody uses it, goes to the trash, and is exchanged with what is there", async () => {
        const mount = await made("64MiB");
        await rig.sh(`echo old > ${at(mount)}/file; systemd-run --quiet --unit=user sh -c 'cd ${at(mount)}; exec sleep 600'`);
        await expect(rig.run("remove", mount)).rejects.toMatchObject({
            code: "IN_USE",
            message: expect.stringMatching(/ is in use by sleep \(pid \d+\)$/),
        });
        await isReady(mount);
        await rig.sh("systemctl stop user");
        await rig.run("remove", mount);
        await rig.run("remove", mount);
        expect(await rig.sh("ls /var/lib/zeroform/mounts")).toBe("");
        expect(await rig.run("trashed", mount)).toBeGreaterThanOrEqual(64 * MIB);

        const into = await made("48MiB");
        const own = trashedImage({ ...into, life: rig.mount("x", "1MiB").life } as never);
        await rig.sh(`echo new > ${at(into)}/file`);
        await expect(rig.run("restore", into, { from: mount, own })).rejects.toMatchObject({
            code: "INVALID",
            hint: 'Write size: "64MiB" first.',
        });
        await isReady(into);
        const larger = changed(into, { size: "80MiB" });
        for (const cutAfterMs of [80, 110, 150]) await rig.cutOff("restore", larger, cutAfterMs, { from: mount, own });
        await rig.run("restore", larger, { from: mount, own });
        await rig.run("restore", larger, { from: mount, own });
        await rig.run("apply", larger);
        await isReady(larger);
        expect(await rig.sh(`cat ${at(into)}/file`)).toBe("old");
        expect(await rig.run("trashed", mount)).toBe(0);
        expect(await rig.sh(`debugfs -R 'cat file' ${own} 2>/dev/null`)).toBe("new");
        await rig.sh(`rm ${own}`);
        await gone(larger);
    });

    it("is refused when there is no room, naming what is free, and lets go of trash when that helps", async () => {
        const mount = await made("1GiB");
        await expect(rig.run("admit", rig.mount("large", "1GiB"))).rejects.toMatchObject({
            code: "NO_ROOM",
            message: expect.stringMatching(
                /^no room for 1GiB in \/var\/lib\/zeroform\/pool: [\d.]+MiB of 1.9GiB are free \(64MiB more are kept for the agent\)$/,
            ),
        });
        await expect(rig.run("apply", rig.mount("large", "1GiB"))).rejects.toMatchObject({ code: "NO_ROOM" });
        await expect(rig.run("admit", changed(mount, { size: "2GiB" }), { old: mount })).rejects.toThrow(/no room for 1GiB more, for 2GiB/);
        await rig.run("remove", mount);
        const trash = [trashedMount(mount)];
        const next = rig.mount("next", "1GiB");
        await rig.run("admit", next, { trash });
        const { said } = await rig.runAloud("apply", next, { trash });
        expect(said).toContain('purging ZMount "disk" from the trash to make room');
        await isReady(next);
        const promised = rig.mount("promised", "512MiB");
        await expect(rig.run("admit", rig.mount("third", "512MiB"), { resources: [next, promised] })).rejects.toThrow(
            /512MiB of it are promised/,
        );
        await gone(next);
    });

    it("takes its space from a pool of the user's, says when its disk is not there, and leaves nothing in it", async () => {
        await expect(rig.run("admit", rig.mount("nowhere", "32MiB", { pool: "/mnt/none" }))).rejects.toThrow("pool /mnt/none is not there");
        await expect(rig.run("admit", rig.mount("memory", "32MiB", { pool: "/run" }))).rejects.toThrow("pool /run is on tmpfs");
        await expect(rig.run("admit", rig.mount("inside", "32MiB", { pool: "/var/lib/zeroform/zdb" }))).rejects.toThrow("keeps for itself");
        await rig.sh("fallocate -l 256M /var/lib/zeroform/ssd.img; mkfs.ext4 -qF /var/lib/zeroform/ssd.img; mkdir -p /mnt/ssd");
        await rig.sh("mount -o loop /var/lib/zeroform/ssd.img /mnt/ssd");
        const mount = await made("32MiB", { pool: "/mnt/ssd" });
        await rig.sh(`umount ${at(mount)}; umount /mnt/ssd; mkdir -p /mnt/ssd/zeroform`);
        expect(await why(mount)).toContain("its pool is not there: /mnt/ssd/zeroform");
        await expect(rig.run("apply", mount)).rejects.toThrow();
        await rig.sh("rmdir /mnt/ssd/zeroform; mount -o loop /var/lib/zeroform/ssd.img /mnt/ssd");
        await rig.run("apply", mount);
        await isReady(mount);
        await gone(mount);
        expect(await rig.sh("ls /mnt/ssd; umount /mnt/ssd; rm /var/lib/zeroform/ssd.img")).toBe("lost+found");
    });
});
