import { beforeEach, describe, expect, it } from "vitest";
import { mintLife, mintTenantId } from "../../protocol/ids.ts";
import { FakeOs } from "../../test/agent/fakes/fake-os.ts";
import type { Claim, Device, Devices } from "../os/devices.ts";
import { onDevice } from "./zmount-device.ts";
import { type DeviceRecord, devicePlacesOf, parseDeviceRecord, trashedRecord } from "./zmount-device-record.ts";
import type { DeviceMount } from "./zmount-places.ts";

const MIB = 2 ** 20;
const POWER = new Error("the power is cut");
const SDB = "/dev/sdb";

/** Disks by the name that they have at this moment, each with what is on it: nothing, a file system, or bytes without a name. */
class FakeDisks {
    readonly disks = new Map<string, { disk: string; holds: string; bytes: number }>();
    readonly os = new FakeOs();
    /** Every making of a file system, by what was on the disk before. */
    readonly made: string[] = [];

    constructor() {
        const { os } = this;
        const devices: Devices = {
            find: async (path: string) => this.device(path),
            byNumber: async () => undefined,
            withUuid: async (uuid: string) =>
                [...this.disks].filter(([, { holds }]) => holds === uuid).flatMap(([path]) => this.device(path) ?? []),
            claim: async ({ path }: Device): Promise<Claim | undefined> => {
                const holds = this.disks.get(path)?.holds ?? "";
                if (holds === "") return undefined;
                if (holds === "bytes") return { by: "bytes", words: "its first MiB is not zero" };
                return { by: "signature", words: "it has ext4 on it", uuids: [holds] };
            },
            format: async ({ path }: Device, _: string, { uuid }: { readonly uuid: string }) => {
                this.made.push(this.holds(path));
                os.step(`begin ${path}`);
                this.put(path, "bytes");
                os.step(`end ${path}`);
                this.put(path, uuid);
            },
            clear: async ({ path }: Device) => {
                os.step(`clear ${path}`);
                this.put(path, "");
            },
        };
        Object.assign(os.os, { devices });
        Object.assign(os.os.images, {
            uuidOf: async (path: string) => {
                const holds = this.disks.get(path)?.holds;
                return holds === "" || holds === "bytes" ? undefined : holds;
            },
            grow: async () => "grown",
        });
    }

    put(path: string, holds: string, disk = this.disks.get(path)?.disk ?? `disk of ${path}`) {
        this.disks.set(path, { disk, holds, bytes: 64 * MIB });
    }

    holds(path: string): string {
        return this.disks.get(path)?.holds ?? "";
    }

    device(path: string): Device | undefined {
        const found = this.disks.get(path);
        return found && { path, number: path, bytes: found.bytes, readOnly: false, disk: found.disk };
    }
}

const on = (device = SDB): DeviceMount => ({
    life: mintLife(),
    tenant: mintTenantId(),
    kind: "ZMount",
    urn: "urn:of-this",
    name: "disk",
    spec: { device, size: undefined, filesystem: "ext4", pool: undefined, node: "", nodeMachine: undefined },
    uses: {},
});

describe("a ZMount on a device", () => {
    let fake: FakeDisks;
    let resource: DeviceMount;
    beforeEach(() => {
        fake = new FakeDisks();
        fake.put(SDB, "");
        resource = on();
        const places = devicePlacesOf(resource);
        fake.os.started = mountAs(places.mountPoint);
        fake.os.stopped = () => fake.os.mounted.delete(places.mountPoint);
    });
    /** The mount unit finds the device by what its record says. */
    const mountAs = (mountPoint: string) => () => {
        const uuid = recordOf(resource)?.uuid ?? "none";
        const found = [...fake.disks].find(([, { holds }]) => holds === uuid)?.[0];
        if (found === undefined) throw new Error("no device has it");
        fake.os.os.devices.byNumber = async () => fake.device(found);
        fake.os.mounted.add(mountPoint);
    };
    const recordOf = (of: DeviceMount): DeviceRecord | undefined => parseDeviceRecord(fake.os.files.get(devicePlacesOf(of).record));
    const context = () => fake.os.context([resource]);
    const cutAt = (step: number) => {
        let left = step;
        fake.os.step = () => {
            if (left-- === 0) throw POWER;
        };
    };
    const uncut = () => {
        fake.os.step = () => undefined;
    };
    const cutOff = async (act: () => Promise<void>, step: number): Promise<boolean> => {
        cutAt(step);
        const failure = await act().then(
            () => undefined,
            (thrown: unknown) => thrown,
        );
        uncut();
        if (failure !== undefined) expect(failure).toBe(POWER);
        return failure !== undefined;
    };
    const apply = () => onDevice.apply(resource, context());

    it("is made after a cut at any step, and never again once that was written down", async () => {
        for (let step = 0; ; step++) {
            fake.put(SDB, "");
            fake.os.files.clear();
            fake.os.mounted.clear();
            fake.made.length = 0;
            if (!(await cutOff(apply, step))) break;
            const before = recordOf(resource);
            fake.os.mounted.clear();
            await apply();
            expect(fake.holds(SDB), `after ${step} steps`).toBe(recordOf(resource)?.uuid);
            expect(recordOf(resource)?.state).toBe("made");
            // What was on it before each making was nothing, also after a cut.
            expect(new Set(fake.made)).toEqual(new Set([""]));
            if (before?.state === "made") expect(fake.made).toHaveLength(1);
        }
        await apply();
        expect(fake.made).toHaveLength(1);
    });

    it("is not made on a disk that took the name of its own while the power was off", async () => {
        for (let step = 0; ; step++) {
            fake = new FakeDisks();
            fake.put(SDB, "");
            fake.os.started = mountAs(devicePlacesOf(resource).mountPoint);
            if (!(await cutOff(apply, step))) break;
            fake.os.mounted.clear();
            const own = fake.disks.get(SDB);
            fake.disks.set("/dev/sdc", own ?? { disk: "", holds: "", bytes: 0 });
            fake.disks.set(SDB, { disk: "another", holds: "bytes", bytes: 64 * MIB });
            await apply().catch(() => undefined);
            expect(fake.holds(SDB), `after ${step} steps`).toBe("bytes");
            expect(fake.made.every((before) => before === "")).toBe(true);
        }
    });

    it("whose making was cut off waits for who uses its device, and nobody is told to empty that", async () => {
        fake.os.step = (what) => {
            if (what === `end ${SDB}`) throw POWER;
        };
        await expect(apply()).rejects.toBe(POWER);
        uncut();
        const { claim } = fake.os.os.devices;
        fake.os.os.devices.claim = async () => ({ by: "user", words: "mkfs.ext4 has it open" });
        const failure = await apply().catch((thrown: unknown) => thrown);
        expect(failure).toMatchObject({ code: "IN_USE", retryable: true, message: expect.stringContaining("mkfs.ext4 has it open") });
        expect(String((failure as { readonly hint?: string }).hint)).not.toContain("blkdiscard");
        fake.os.os.devices.claim = claim;
        await apply();
        expect(recordOf(resource)?.state).toBe("made");
    });

    it("leaves nothing of its own when it is removed and purged, whatever the step at which the power is cut", async () => {
        const place = trashedRecord(resource);
        for (const wish of [place, undefined]) {
            for (let making = 0; making < 12; making++) {
                for (let step = 0; ; step++) {
                    fake.put(SDB, "");
                    fake.os.files.clear();
                    fake.os.mounted.clear();
                    await cutOff(apply, making);
                    const wasMade = recordOf(resource)?.state === "made";
                    const isCut = await cutOff(() => onDevice.remove(resource, wish, context()), step);
                    await onDevice.remove(resource, wish, context());
                    expect(fake.holds(SDB) !== "", `${making} ${step}`).toBe(wasMade);
                    const kept = wish ?? devicePlacesOf(resource).record;
                    expect([...fake.os.files.keys()], `${making} ${step}`).toEqual(wasMade ? [kept] : []);
                    expect(await onDevice.trashedBytes({ resource, place: kept }, context())).toBe(wasMade ? 64 * MIB : 0);
                    const isPurgeCut = await cutOff(() => onDevice.purge({ resource, place: kept }, context()), step);
                    await onDevice.purge({ resource, place: kept }, context());
                    expect([fake.holds(SDB), fake.os.files.size], `${making} ${step}`).toEqual(["", 0]);
                    if (!isCut && !isPurgeCut) break;
                }
            }
        }
    });

    it("is purged on its own disk, wherever that is, and waits for it", async () => {
        await apply();
        const place = trashedRecord(resource);
        fake.os.os.processes.using = async () => [];
        await onDevice.remove(resource, place, context());
        const own = fake.disks.get(SDB);
        fake.put(SDB, "another file system", "another");
        await expect(onDevice.purge({ resource, place }, context())).rejects.toMatchObject({
            code: "NOT_READY",
            hint: expect.stringContaining(`if it is gone for good, with what is on it, remove ${place}`),
        });
        if (own) for (const path of ["/dev/sdc", "/dev/sdd"]) fake.disks.set(path, own);
        await expect(onDevice.purge({ resource, place }, context())).rejects.toThrow("/dev/sdc and /dev/sdd have the same file system");
        fake.disks.delete("/dev/sdd");
        await onDevice.purge({ resource, place }, context());
        expect([fake.holds("/dev/sdc"), fake.holds(SDB)]).toEqual(["", "another file system"]);
    });

    it("is told who keeps it from its device", async () => {
        await apply();
        const other = { ...on(), tenant: resource.tenant, name: "second" };
        await expect(onDevice.admit(other, undefined, context())).rejects.toThrow(
            'device /dev/sdb is not free: it is that of ZMount "disk"',
        );
        // Its disk has another name now, and its own is another disk's.
        fake.disks.set("/dev/sdc", fake.disks.get(SDB) ?? { disk: "", holds: "", bytes: 0 });
        fake.put(SDB, "", "new");
        await expect(onDevice.admit(other, undefined, context())).rejects.toThrow('it is that of ZMount "disk"');
        const onOther = { ...other, spec: { ...other.spec, device: "/dev/sdc" } };
        await expect(onDevice.apply(onOther, context())).rejects.toThrow('device /dev/sdc is not free: it is that of ZMount "disk"');
        // Its data were kept.
        await onDevice.remove(resource, undefined, context());
        await onDevice.admit(onOther, undefined, fake.os.context());
        await expect(onDevice.apply(onOther, fake.os.context())).rejects.toMatchObject({
            message: `device /dev/sdc is not free: the data of ${resource.life} are on it, which were kept`,
            hint: expect.stringContaining(`\`zeroform remove ${resource.life} --purge\` makes room`),
        });
    });

    it("is known by its device when the record is lost, and not made again", async () => {
        await apply();
        const uuid = recordOf(resource)?.uuid;
        fake.os.files.delete(devicePlacesOf(resource).record);
        await apply();
        expect(recordOf(resource)).toMatchObject({ state: "made", uuid, grownTo: 64 * MIB });
        expect(fake.made).toHaveLength(1);
        fake.os.files.delete(devicePlacesOf(resource).record);
        await onDevice.remove(resource, trashedRecord(resource), context());
        expect(parseDeviceRecord(fake.os.files.get(trashedRecord(resource)))).toMatchObject({ uuid });
        fake.os.files.clear();
        await expect(onDevice.apply({ ...resource, life: mintLife() }, fake.os.context())).rejects.toThrow("it has ext4 on it");
    });

    it("may be changed while its device is away", async () => {
        await apply();
        fake.disks.delete(SDB);
        await onDevice.admit(resource, resource, context());
        await expect(onDevice.admit(on(), undefined, fake.os.context())).rejects.toThrow("device /dev/sdb is not there");
    });
});
