import { describe, expect, it } from "vitest";
import { mintLife, mintTenantId } from "../../protocol/ids.ts";
import { FakeOs } from "../../test/agent/fakes/fake-os.ts";
import { zmountDriver } from "./zmount.ts";
import { placesOf, trashedImage, type ZMount } from "./zmount-places.ts";

const inPool = () => {
    const os = new FakeOs();
    const spec = { size: "64MiB", filesystem: "ext4", pool: "/mnt/ssd" };
    const resource = { life: mintLife(), tenant: mintTenantId(), kind: "ZMount", name: "disk", spec, uses: {} } as unknown as ZMount;
    return { os, resource, places: placesOf(resource), place: trashedImage(resource) };
};

describe("a ZMount whose pool's disk is away", () => {
    it("is not removed: its image would stay without a row", async () => {
        const { os, resource, places, place } = inPool();
        os.files.set(places.record, `IMAGE=${places.image}`);
        await expect(zmountDriver.remove(resource, place, os.context())).rejects.toMatchObject({
            code: "NOT_READY",
            retryable: true,
            message: expect.stringContaining("mount the pool's disk"),
        });
        os.files.set(places.marker, "").set(places.image, "image");
        await zmountDriver.remove(resource, place, os.context());
        expect(os.files.get(place)).toBe("image");
        expect(os.has(places.record)).toBe(false);
    });

    it("is not purged: its trash would stay without a row", async () => {
        const { os, resource, places, place } = inPool();
        await expect(zmountDriver.purge({ resource, place }, os.context())).rejects.toMatchObject({ code: "NOT_READY", retryable: true });
        os.files.set(places.marker, "").set(place, "image");
        await zmountDriver.purge({ resource, place }, os.context());
        expect(os.has(place)).toBe(false);
        expect(os.has(places.directory)).toBe(false);
    });

    it("is removed when nothing of it was ever made", async () => {
        const { os, resource, place } = inPool();
        await zmountDriver.remove(resource, place, os.context());
        expect(await zmountDriver.trashedBytes({ resource, place }, os.context())).toBe(0);
    });
});
