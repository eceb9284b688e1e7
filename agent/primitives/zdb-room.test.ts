import { describe, expect, it } from "vitest";
import { mintLife, mintTenantId } from "../../protocol/ids.ts";
import { FakeOs } from "../../test/agent/fakes/fake-os.ts";
import type { Resource } from "./driver.ts";
import { namespaceOf, serverOf, type Zdb } from "./zdb-places.ts";
import { requireRoom, roomFor } from "./zdb-room.ts";
import { mountPointOf, type ZMount } from "./zmount-places.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe("what a mount has to have for a Zdb", () => {
    it("is twice its size, two segments, and what its server keeps back once", () => {
        expect(roomFor([8 * MIB])).toBe((2 * 8 + 2 * 16 + 4 + 16) * MIB);
        expect(roomFor([5 * GIB])).toBe(10 * GIB + (2 * 64 + 4 + 64) * MIB);
        expect(roomFor([512 * MIB, 8 * MIB])).toBe((2 * 512 + 2 * 32 + 2 * 8 + 2 * 16 + 4 + 32) * MIB);
    });
});

describe("a Zdb for which its mount has no room", () => {
    const tenant = mintTenantId();
    const mount = { life: mintLife(), tenant, kind: "ZMount", name: "disk", spec: { size: "160MiB" }, uses: {} } as unknown as ZMount;
    const zdb = (name: string, size: string, more: Partial<Zdb["spec"]> = {}): Zdb => ({
        life: mintLife(),
        tenant,
        kind: "Zdb",
        urn: `urn:${name}`,
        name,
        spec: { size, oversubscribe: false, ...more } as Zdb["spec"],
        uses: { mount: mount as unknown as Resource },
    });
    const [events, ids] = [zdb("events", "8MiB"), zdb("ids", "8MiB")];
    /** A mounted file system with so much that is free. */
    const having = (freeBytes: number) => {
        const os = new FakeOs();
        os.mounted.add(mountPointOf(mount.life));
        os.os.files.fileSystem = async () => ({ type: "ext4", device: 1, totalBytes: 160 * MIB, freeBytes });
        return os;
    };
    const admitted = (wanted: Zdb, os: FakeOs, { old, others = [] }: { old?: Zdb; others?: readonly Zdb[] } = {}) =>
        requireRoom(wanted, old, os.context([mount, ...others] as unknown as readonly Resource[]));

    it("is refused, naming the numbers and what would do", async () => {
        const os = having(150 * MIB);
        await admitted(events, os);
        await admitted(ids, os, { others: [events] });
        await expect(admitted(zdb("third", "32MiB"), os, { others: [events, ids] })).rejects.toMatchObject({
            code: "INVALID",
            message:
                "size 32MiB may take 96MiB on the disk (twice its size and two segments of 16MiB), 2 other Zdbs beside it 96MiB, " +
                'its server keeps back 20MiB: that is 212MiB, and ZMount "disk" of 160MiB has 150MiB for it',
            hint: expect.stringMatching(/^Make the ZMount 226MiB or larger, .* or oversubscribe: true/),
        });
        await admitted(zdb("third", "32MiB", { oversubscribe: true }), os, { others: [events, ids] });
        await expect(admitted(zdb("third", "32MiB"), os, { others: [events] })).rejects.toThrow(', Zdb "events" beside it 48MiB,');
    });

    it("counts what these Zdbs have on the disk already as theirs", async () => {
        const os = having(64 * MIB);
        os.os.files.diskUsage = async (path) => (path === `${serverOf(events).data}/${namespaceOf(events)}` ? 90 * MIB : 0);
        await admitted(ids, os, { others: [events] });
        await expect(admitted(ids, having(64 * MIB), { others: [events] })).rejects.toThrow("has 64MiB for it");
    });

    it("keeps what it has, and may replace its own life before", async () => {
        const os = having(100 * MIB);
        const others = [events, ids];
        await admitted({ ...ids, spec: { ...ids.spec, public: true } }, os, { old: ids, others });
        await admitted({ ...ids, spec: { ...ids.spec, size: "4MiB" } }, os, { old: ids, others });
        await expect(admitted({ ...ids, spec: { ...ids.spec, size: "9MiB" } }, os, { old: ids, others })).rejects.toThrow("size 9MiB");
        const loose = { ...ids, spec: { ...ids.spec, oversubscribe: true } };
        await expect(admitted(ids, os, { old: loose, others })).rejects.toThrow("size 8MiB");
        await admitted({ ...events, life: mintLife() }, os, { others: [events] });
        // One of the same name in another stack or component stays where it is.
        const namesake = { ...events, life: mintLife(), urn: "urn:events of another stack" };
        await expect(admitted(namesake, having(80 * MIB), { others: [events] })).rejects.toThrow(', Zdb "events" beside it 48MiB,');
    });

    it("is refused by the size of the mount where that is not mounted, and not asked where there is none", async () => {
        const away = new FakeOs();
        await expect(admitted(zdb("large", "64MiB"), away)).rejects.toThrow("has 160MiB for it");
        await admitted(events, away);
        await admitted({ ...zdb("large", "1GiB"), uses: {} }, away);
    });
});
