import { beforeEach, describe, expect, it } from "vitest";
import { mintLife, mintTenantId } from "../../protocol/ids.ts";
import { FakeOs } from "../../test/agent/fakes/fake-os.ts";
import { ProgramFailure } from "../os/program.ts";
import { onImage } from "./zmount-image.ts";
import { dropLeft, ensureInPool, trashWhileMoving } from "./zmount-move.ts";
import { type ImageMount, placesOf } from "./zmount-places.ts";
import { locate } from "./zmount-pool.ts";
import { formatRecord, mountUnitFor } from "./zmount-units.ts";

const POWER = new Error("the power is cut");
const OLD = "what was written";
const NEW = "and written again after the power came back";

const moved = (resource: ImageMount, pool: string): ImageMount => ({ ...resource, spec: { ...resource.spec, pool } });

describe.each([
    { where: "another file system", deviceOf: (path: string) => (path.startsWith("/mnt/new") ? 2 : 1) },
    { where: "the same file system", deviceOf: () => 1 },
])("a ZMount that is moved to a pool on $where", ({ deviceOf }) => {
    let os: FakeOs;
    let before: ImageMount;
    let after: ImageMount;
    beforeEach(() => {
        os = new FakeOs();
        os.deviceOf = deviceOf;
        const spec = { size: "4KiB", filesystem: "ext4", pool: "/mnt/old", node: "", nodeMachine: undefined, device: undefined } as const;
        before = { life: mintLife(), tenant: mintTenantId(), kind: "ZMount", urn: "urn:disk", name: "disk", spec, uses: {} };
        after = moved(before, "/mnt/new");
        const places = placesOf(before);
        os.files.set(places.marker, "").set(places.image, OLD);
        os.files.set(places.record, formatRecord({ image: places.image, grownTo: 4_096, check: "quick" }));
        os.files.set("/mnt/old/lost+found", "").set("/mnt/new/lost+found", "");
        os.units.set(places.mountUnit, mountUnitFor(before).text ?? "");
        os.mounted.add(places.mountPoint);
        os.stopped = (unit) => unit === places.mountUnit && os.mounted.delete(places.mountPoint);
    });

    /** What the agent does with it: the whole of it, or up to the cut. */
    const apply = async (resource: ImageMount) => {
        const context = os.context([resource]);
        await ensureInPool(resource, context);
        await os.os.systemd.install([mountUnitFor(resource)]);
        os.mounted.add(placesOf(resource).mountPoint);
        await dropLeft(resource, context);
    };
    const cutAt = (step: number) => {
        let left = step;
        os.step = () => {
            if (left-- === 0) throw POWER;
        };
    };
    const images = () => [...os.files].filter(([path]) => path.includes(".img"));

    it("has one live image whatever the step at which the power is cut, and what is written to it then is kept", async () => {
        let cuts = 0;
        for (let step = 0; ; step++) {
            cutAt(step);
            const failure = await apply(after).then(
                () => undefined,
                (thrown: unknown) => thrown,
            );
            os.step = () => undefined;
            if (failure === undefined) break;
            expect(failure).toBe(POWER);
            cuts++;
            // The next boot mounts what the unit names, if there is one: that has to be the live image.
            const places = await locate(after, os.os);
            const unit = os.units.get(places.mountUnit);
            expect(os.files.get(places.image)?.startsWith(OLD), `after ${step} steps`).toBe(true);
            os.mounted.clear();
            if (unit !== undefined) {
                expect(unit).toContain(`What=${places.image}\n`);
                os.mounted.add(places.mountPoint);
                if (deviceOf("/mnt/new") === 2) os.files.set(places.image, `${OLD} ${NEW} ${step}`);
            }
        }
        expect(cuts).toBeGreaterThan(5);
        const places = placesOf(after);
        expect(images()).toEqual([[places.image, os.files.get(places.image)]]);
        expect(os.has("/mnt/old/zeroform")).toBe(false);
    });

    it("can be called back, or sent to a third pool, at every step; nothing is left behind", async () => {
        os.files.set("/mnt/third/lost+found", "");
        for (let step = 0; step < 12; step++) {
            for (const resource of [after, moved(before, "/mnt/third"), before]) {
                cutAt(step);
                await apply(resource).catch(() => undefined);
                os.step = () => undefined;
            }
        }
        await apply(before);
        expect(images()).toEqual([[placesOf(before).image, OLD]]);
        // A cut between the last file and its directory leaves that: it is only a mark, and goes with the next that is removed there.
        const others = [...os.files.keys()].filter((path) => /^\/mnt\/(new|third)\/zeroform\//.test(path));
        expect(others.filter((path) => !path.endsWith("/.pool"))).toEqual([]);
    });

    it("leaves nothing in either pool when it is removed after a cut, wherever that was", async () => {
        const made = new Map(os.files);
        for (let step = 0; ; step++) {
            os.files.clear();
            for (const [path, text] of made) os.files.set(path, text);
            os.mounted.add(placesOf(before).mountPoint);
            cutAt(step);
            const failure = await ensureInPool(after, os.context([after])).then(
                () => undefined,
                (thrown: unknown) => thrown,
            );
            os.step = () => undefined;
            os.mounted.clear();
            await onImage.remove(after, undefined, os.context([after]));
            const left = [...os.files.keys()].filter((path) => /^\/mnt\/(old|new)\/zeroform/.test(path) && !path.endsWith(".img"));
            // Its data are kept: the pool that they lie in is still marked.
            const { directory } = await locate(after, os.os);
            expect(left, `after ${step} steps`).toEqual([`${directory}/.pool`]);
            if (failure === undefined) return;
        }
    });

    it("goes to the trash where its data are", async () => {
        cutAt(4);
        await expect(ensureInPool(after, os.context([after]))).rejects.toBe(POWER);
        os.step = () => undefined;
        const { directory } = await locate(after, os.os);
        const place = await trashWhileMoving(after, os.os);
        expect(place ?? `/mnt/new/zeroform/.trash/${after.life}.img`).toBe(`${directory}/.trash/${after.life}.img`);
    });

    it("leaves a disk that takes no writes any more, and what is left there goes when it takes them again", async () => {
        const broken = (what: string) => {
            if (!what.startsWith("remove /mnt/old")) return;
            throw Object.assign(new Error("EROFS: read-only file system"), { code: "EROFS" });
        };
        os.step = broken;
        await apply(after);
        expect((await locate(after, os.os)).image).toBe(placesOf(after).image);
        expect(os.files.get(placesOf(after).image)).toBe(OLD);
        await expect(onImage.remove(after, undefined, os.context([after]))).rejects.toMatchObject({
            code: "NOT_READY",
            message: expect.stringContaining("cannot be removed (EROFS)"),
        });
        os.step = () => undefined;
        await apply(after);
        expect(images()).toEqual([[placesOf(after).image, OLD]]);
        expect(os.has("/mnt/old/zeroform")).toBe(false);
    });

    it("waits for the pool that its data are in", async () => {
        os.files.delete(placesOf(before).marker);
        await expect(ensureInPool(after, os.context([after]))).rejects.toMatchObject({
            code: "NOT_READY",
            message: expect.stringContaining("/mnt/old/zeroform has no file"),
        });
    });
});

describe("a ZMount that is copied to another pool", () => {
    const moving = () => {
        const os = new FakeOs();
        os.deviceOf = (path: string) => (path.startsWith("/mnt/new") ? 2 : 1);
        const spec = { size: "4KiB", filesystem: "ext4", pool: "/mnt/new", node: "", nodeMachine: undefined, device: undefined } as const;
        const resource: ImageMount = {
            life: mintLife(),
            tenant: mintTenantId(),
            kind: "ZMount",
            urn: "urn:disk",
            name: "disk",
            spec,
            uses: {},
        };
        const from = placesOf({ ...resource, spec: { ...spec, pool: "/mnt/old" } });
        os.files.set(from.marker, "").set(from.image, OLD).set("/mnt/new/lost+found", "");
        os.files.set(from.record, formatRecord({ image: from.image, grownTo: 4_096, check: "quick" }));
        os.mounted.add(from.mountPoint);
        os.stopped = () => os.mounted.delete(from.mountPoint);
        return { os, resource };
    };

    it("is not read again and again while somebody uses it", async () => {
        const { os, resource } = moving();
        const copies: string[] = [];
        os.step = (what) => what.startsWith("copy") && copies.push(what);
        os.users = [{ name: "postgres (pid 7)", unit: "postgresql.service" }];
        for (let attempt = 0; attempt < 2; attempt++) {
            await expect(ensureInPool(resource, os.context([resource]))).rejects.toMatchObject({
                code: "IN_USE",
                message: expect.stringContaining("postgres (pid 7)"),
            });
            expect(copies).toHaveLength(1);
        }
        os.users = [];
        await ensureInPool(resource, os.context([resource]));
        expect((await locate(resource, os.os)).image).toBe(placesOf(resource).image);
    });

    it("says that there is no room when somebody has taken it meanwhile", async () => {
        const { os, resource } = moving();
        os.os.images.ensureReserved = () => Promise.reject(new ProgramFailure("fallocate", 1, "fallocate failed: No space left on device"));
        await expect(ensureInPool(resource, os.context([resource]))).rejects.toMatchObject({
            code: "NO_ROOM",
            message: expect.stringContaining("in /mnt/new/zeroform"),
        });
    });
});
