import { describe, expect, it } from "vitest";
import { mintLife, mintTenantId } from "../../protocol/ids.ts";
import type { Observation } from "./driver.ts";
import { observeZMount, type ZMountFacts } from "./zmount-observe.ts";
import { type ImageMount, placesOf, trashedImage } from "./zmount-places.ts";
import { CHECK, formatRecord, mountUnitFor, parseRecord } from "./zmount-units.ts";

const MIB = 2 ** 20;

const resource = (spec: Partial<Omit<ImageMount["spec"], "device">> = {}): ImageMount => ({
    life: mintLife(),
    tenant: mintTenantId(),
    kind: "ZMount",
    urn: "urn:of-this",
    name: "disk; rm -rf / %i $(id)",
    spec: { size: "64MiB", filesystem: "ext4", pool: undefined, node: "", nodeMachine: undefined, ...spec, device: undefined },
    uses: {},
});

const good: ZMountFacts = {
    poolThere: true,
    image: { bytes: 64 * MIB, reservedBytes: 64 * MIB + 4096 },
    recorded: true,
    elsewhere: undefined,
    grownTo: 64 * MIB,
    mount: { failed: undefined, of: "image", bytes: 64 * MIB, discards: false },
    unitsInstalled: true,
};
const mounted = { failed: undefined, of: "image", bytes: 64 * MIB, discards: false } as const;

describe("a ZMount", () => {
    const cases: readonly { readonly when: string; readonly facts: Partial<ZMountFacts>; readonly is: string }[] = [
        { when: "as desired", facts: {}, is: "ready" },
        { when: "its image is not there", facts: { image: undefined, mount: undefined }, is: "absent" },
        {
            when: "nothing of it is there yet",
            facts: { poolThere: false, recorded: false, image: undefined, grownTo: undefined, mount: undefined },
            is: "absent",
        },
        {
            when: "the power went while it was being grown or mounted, and its pool's disk did not come back",
            facts: { poolThere: false, image: undefined, grownTo: undefined, mount: undefined },
            is: "its pool is not there",
        },
        {
            when: "its pool's disk is not there",
            facts: { poolThere: false, image: undefined, mount: undefined },
            is: "its pool is not there",
        },
        {
            when: "its image was deleted under it",
            facts: { image: undefined, mount: { ...mounted, of: "deleted image" } },
            is: "deleted while it is mounted",
        },
        { when: "it is to be moved", facts: { elsewhere: "/mnt/old/zeroform" }, is: "still in /mnt/old/zeroform, on the way to" },
        { when: "it is to grow", facts: { image: { bytes: 32 * MIB, reservedBytes: 32 * MIB } }, is: "32MiB of 64MiB reserved" },
        {
            when: "a trim gave space away",
            facts: { image: { bytes: 64 * MIB, reservedBytes: 60 * MIB } },
            is: "4MiB of its space were given away",
        },
        { when: "its unit was removed", facts: { unitsInstalled: false }, is: "unit files are gone or changed" },
        { when: "it was unmounted", facts: { mount: undefined }, is: "not mounted" },
        { when: "another thing is mounted there", facts: { mount: { ...mounted, of: "other" } }, is: "something else" },
        { when: "an error made it read-only", facts: { mount: { ...mounted, failed: "read-only" } }, is: "read-only after an error" },
        { when: "a growth was cut off after the image", facts: { mount: { ...mounted, bytes: 32 * MIB } }, is: "not grown to its size" },
        { when: "a growth was cut off before the file system", facts: { grownTo: 32 * MIB }, is: "not grown to its size" },
        { when: "discards would go through", facts: { mount: { ...mounted, discards: true } }, is: "a trim could give" },
    ];
    it.each(cases)("is judged when $when", ({ facts, is }) => {
        const zmount = resource();
        const seen = observeZMount(zmount, new Map([[zmount.life, { ...good, ...facts }]]));
        expect(wordsOf(seen)).toContain(is);
        if (seen.state !== "absent") expect(seen.outputs?.path).toBe(`/var/lib/zeroform/mounts/${zmount.life}`);
    });

    it("that is larger than desired is ready, and says how large it is", () => {
        const zmount = resource({ size: "48MiB" });
        const seen = observeZMount(zmount, new Map([[zmount.life, good]]));
        expect(seen).toMatchObject({ state: "ready", actual: { size: "64MiB" } });
    });

    it("of a size that ends within a sector is ready", () => {
        const bytes = 64 * MIB + 100;
        const zmount = resource({ size: `${bytes}B` });
        const facts = { ...good, image: { bytes, reservedBytes: 65 * MIB }, grownTo: bytes };
        expect(observeZMount(zmount, new Map([[zmount.life, facts]])).state).toBe("ready");
    });

    it("has names of its life only, in our directory of its pool", () => {
        const zmount = resource({ pool: "/mnt/ssd" });
        const places = placesOf(zmount);
        expect(places.image).toBe(`/mnt/ssd/zeroform/${zmount.life}.img`);
        expect(trashedImage(zmount)).toBe(`/mnt/ssd/zeroform/.trash/${zmount.life}.img`);
        expect(placesOf(resource()).directory).toBe("/var/lib/zeroform/pool");
    });

    it("has units without a word of its user, after its check and before nothing of the machine's boot", () => {
        const zmount = resource();
        const places = placesOf(zmount);
        const mount = mountUnitFor(zmount);
        expect(CHECK.text).not.toContain(zmount.life);
        expect(`${CHECK.text}${mount.text}`).not.toContain("rm -rf");
        expect(mount).toMatchObject({ name: `var-lib-zeroform-mounts-${zmount.life}.mount`, wantedBy: "zeroform.target" });
        expect(mount.text).toContain(`What=${places.image}\nWhere=${places.mountPoint}\nType=ext4\nOptions=loop,nodev,nosuid`);
        expect(mount.text).toContain(
            `Requires=zeroform-fsck@${zmount.life}.service\nAfter=local-fs.target zeroform-fsck@${zmount.life}.service`,
        );
        expect(mount.text).not.toContain("Before=local-fs.target");
    });

    it("remembers how far its file system has been grown", () => {
        for (const grownTo of [undefined, 64 * MIB]) {
            for (const check of ["quick", "full"] as const) {
                const record = { image: "/var/lib/zeroform/pool/lab.img", grownTo, check };
                expect(parseRecord(formatRecord(record))).toEqual(record);
            }
        }
        expect(parseRecord(undefined)).toBeUndefined();
        expect(parseRecord("")).toBeUndefined();
    });
});

const wordsOf = (seen: Observation<never>): string => (seen.state === "drifted" ? seen.why : seen.state);
