import { describe, expect, it } from "vitest";
import { mintLife, mintTenantId } from "../../protocol/ids.ts";
import { type DeviceFacts, observeDevice } from "./zmount-device-observe.ts";
import { type DeviceRecord, devicePlacesOf, formatDeviceRecord, parseDeviceRecord, uuidOfLife } from "./zmount-device-record.ts";
import { deviceMountUnitFor, deviceUnitsFor } from "./zmount-device-units.ts";
import type { DeviceMount } from "./zmount-places.ts";

const MIB = 2 ** 20;
const SDB = "/dev/sdb";

describe("what is seen of a ZMount on a device", () => {
    const resource: DeviceMount = {
        life: mintLife(),
        tenant: mintTenantId(),
        kind: "ZMount",
        urn: "urn:of-this",
        name: "disk",
        spec: { device: SDB, size: undefined, filesystem: "ext4", pool: undefined, node: "", nodeMachine: undefined },
        uses: {},
    };
    const record: DeviceRecord = {
        state: "made",
        uuid: "6f1c7c1e-6a2b-4c53-9d5c-1f2e3a4b5c6d",
        device: SDB,
        disk: "d15c",
        grownTo: 64 * MIB,
        check: "quick",
    };
    const mount = { failed: undefined, of: "ours", bytes: 64 * MIB } as const;
    const good: DeviceFacts = { known: false, record, mount, unitsInstalled: true };
    const seen = (facts: Partial<DeviceFacts>) => observeDevice(resource, new Map([[resource.life, { ...good, ...facts }]]));

    it.each<{ readonly when: string; readonly facts: Partial<DeviceFacts>; readonly is: string }>([
        { when: "nothing of it was made", facts: { record: undefined, mount: undefined }, is: "absent" },
        { when: "its record was lost", facts: { record: undefined, mount: undefined, known: true }, is: "record of its device is gone" },
        { when: "its record was removed by hand", facts: { record: undefined }, is: "record of its device is gone" },
        { when: "its making was cut off", facts: { record: { ...record, state: "making" } }, is: "not complete on /dev/sdb" },
        { when: "a unit is gone", facts: { unitsInstalled: false }, is: "unit files" },
        { when: "it is not mounted, or its disk is away", facts: { mount: undefined }, is: "not mounted" },
        {
            when: "its disk was pulled out",
            facts: { mount: { ...mount, of: "none" } },
            is: "was taken off the machine while it was mounted",
        },
        { when: "another thing is mounted there", facts: { mount: { ...mount, of: "other" } }, is: "something else" },
        { when: "an error made it read-only", facts: { mount: { ...mount, failed: "read-only" } }, is: "read-only after an error" },
        { when: "its disk has grown", facts: { mount: { ...mount, bytes: 96 * MIB } }, is: "not grown to its device's size" },
        { when: "its growth was cut off", facts: { record: { ...record, grownTo: undefined } }, is: "not grown to its device's size" },
        { when: "its disk has shrunk", facts: { mount: { ...mount, bytes: 32 * MIB } }, is: "has shrunk from 64MiB to 32MiB" },
    ])("is judged when $when", ({ facts, is }) => {
        const judged = seen(facts);
        expect(judged.state === "drifted" ? judged.why : judged.state).toContain(is);
    });

    it("is how large it is, when all is well", () => {
        expect(seen({})).toEqual({
            state: "ready",
            outputs: { path: `/var/lib/zeroform/mounts/${resource.life}`, sizeBytes: 64 * MIB },
        });
    });

    it("is written down without loss, and read by its units without quoting", () => {
        for (const state of ["making", "made", "purging"] as const)
            for (const more of [{}, { disk: undefined }, { grownTo: undefined, check: "full" as const }]) {
                const text = formatDeviceRecord({ ...record, state, ...more }, devicePlacesOf(resource));
                expect(parseDeviceRecord(text)).toEqual({ ...record, state, ...more });
                expect(text).toMatch(/^([A-Z_]+=[A-Za-z0-9._:+@=,~/-]+\n)+$/);
            }
        for (const text of [undefined, "", "IMAGE=/x\nCHECK=-p\n"]) expect(parseDeviceRecord(text)).toBeUndefined();
    });

    it("has units that name no device, so that no boot waits for one", () => {
        const texts = deviceUnitsFor(resource).map(({ text }) => text ?? "");
        const mountUnit = deviceMountUnitFor(resource).text ?? "";
        expect(mountUnit).toContain(`What=/run/zeroform-devices/${resource.life}\n`);
        expect(mountUnit).toContain(`Requires=zeroform-device@${resource.life}.service zeroform-fsck@${resource.life}.service\n`);
        expect(texts.join("")).not.toContain(SDB);
        expect(mountUnit).not.toContain("Before=local-fs.target");
    });

    it("are mounted when the disk of their UUID appears, whoever is there to see it", () => {
        const { wantedBy, wantedByDevice } = deviceMountUnitFor(resource);
        expect(wantedBy).toBe("zeroform.target");
        // As `systemd-escape --path` makes it of /dev/disk/by-uuid/<uuid>.
        const uuid = wantedByDevice?.replace("dev-disk-by\\x2duuid-", "").replace(".device", "").replaceAll("\\x2d", "-");
        expect(uuid).toBe(uuidOfLife(resource.life));
        expect(wantedByDevice).toMatch(/^[\w\\-]+\.device$/);
    });
});
