import { describe, expect, it } from "vitest";
import { mintLife, mintTenantId } from "../../protocol/ids.ts";
import { FakeOs } from "../../test/agent/fakes/fake-os.ts";
import type { Resource } from "./driver.ts";
import { zdbDriver } from "./zdb.ts";
import { limitsText } from "./zdb-limits.ts";
import { namespaceOf, serverOf, trashedNamespace, type Zdb } from "./zdb-places.ts";
import { limitServer } from "./zdb-server.ts";
import { devicePlacesOf } from "./zmount-device-record.ts";
import { mountPointOf, placesOf } from "./zmount-places.ts";

const tenant = mintTenantId();

const onMount = () => {
    const os = new FakeOs();
    const mount = { life: mintLife(), tenant, kind: "ZMount", name: "disk", spec: {}, uses: {} } as unknown as Resource;
    const db = { life: mintLife(), tenant, kind: "Zdb", name: "db", spec: { mode: "user" }, uses: { mount } } as unknown as Zdb;
    const places = placesOf(mount as never);
    os.files.set(places.marker, "").set(places.image, "image");
    return { os, mount, db, places, place: trashedNamespace(db) };
};

describe("a Zdb whose mount is not there", () => {
    it("is not removed while the mount is wanted: its data would be lost without a row", async () => {
        const { os, mount, db, place } = onMount();
        await expect(zdbDriver.remove(db, place, os.context([mount]))).rejects.toMatchObject({ code: "NOT_READY", retryable: true });
        await expect(zdbDriver.remove(db, undefined, os.context([mount]))).rejects.toMatchObject({ code: "NOT_READY" });
    });

    it("is removed when the mount is being removed too: nobody mounts it again", async () => {
        const { os, db, place } = onMount();
        await zdbDriver.remove(db, place, os.context());
        expect(await zdbDriver.trashedBytes({ resource: db, place }, os.context())).toBe(0);
    });

    it("is removed when the mount's image is gone from its pool", async () => {
        const { os, mount, db, places, place } = onMount();
        os.files.delete(places.image);
        await zdbDriver.remove(db, place, os.context([mount]));
        expect(await zdbDriver.trashedBytes({ resource: db, place }, os.context([mount]))).toBe(0);
    });

    it("leaves nothing where the mount was, also when another Zdb stays", async () => {
        const { os, mount, db, places, place } = onMount();
        const other = { ...db, life: mintLife(), name: "other" };
        os.files.delete(places.image);
        await zdbDriver.remove(db, place, os.context([mount, other as unknown as Resource]));
        expect(os.has(mountPointOf(mount.life))).toBe(false);
    });

    it("is waited for on a device that is away, and given up once a person has said that it is gone for good", async () => {
        const { os, mount, db, place } = onMount();
        const onDevice = { ...mount, spec: { device: "/dev/sdb", filesystem: "ext4" } } as unknown as Resource;
        Object.assign(os.os, { devices: { find: async () => undefined } });
        const places = devicePlacesOf(onDevice);
        os.files.set(places.record, "UUID=6f1c7c1e-6a2b-4c53-9d5c-1f2e3a4b5c6d\nDEVICE=/dev/sdb\nSTATE=made\n");
        await expect(zdbDriver.remove(db, place, os.context([onDevice]))).rejects.toMatchObject({ code: "NOT_READY", retryable: true });
        os.files.delete(places.record);
        await zdbDriver.remove(db, place, os.context([onDevice]));
        expect(await zdbDriver.trashedBytes({ resource: db, place }, os.context([onDevice]))).toBe(0);
    });

    it("keeps its trash until the mount is back", async () => {
        const { os, mount, db, place } = onMount();
        const trashed = { resource: db, place };
        await expect(zdbDriver.purge(trashed, os.context([mount]))).rejects.toMatchObject({ code: "NOT_READY", retryable: true });
        await expect(zdbDriver.trashedBytes(trashed, os.context([mount]))).rejects.toMatchObject({ code: "NOT_READY" });
        os.mounted.add(mountPointOf(mount.life));
        os.files.set(`${place}/log`, "keys");
        expect(await zdbDriver.trashedBytes(trashed, os.context([mount]))).toBeGreaterThan(0);
        await zdbDriver.purge(trashed, os.context([mount]));
        expect(os.has(place)).toBe(false);
    });

    it("goes to the trash when it is back", async () => {
        const { os, mount, db, place } = onMount();
        os.mounted.add(mountPointOf(mount.life));
        os.files.set(`${serverOf(db).data}/${namespaceOf(db)}/log`, "keys");
        await zdbDriver.remove(db, place, os.context([mount]));
        expect(os.files.get(`${place}/log`)).toBe("keys");
    });
});

describe("a Zdb that its server does not know", () => {
    const served = () => {
        const { os, mount, db, place } = onMount();
        os.mounted.add(mountPointOf(mount.life));
        os.running.add(serverOf(db).unit);
        os.server = () => new Error("Namespace not found");
        return { os, mount, db, place, log: `${serverOf(db).data}/${namespaceOf(db)}/d0` };
    };

    it("is not absent while its directory is on the disk, and is not removed without a row", async () => {
        const { os, mount, db, place, log } = served();
        os.files.set(log, "keys");
        const facts = await zdbDriver.gather(os.os, [db]);
        expect(zdbDriver.observe(db, facts)).toMatchObject({ state: "drifted", why: expect.stringContaining("on the disk") });
        for (const to of [place, undefined])
            await expect(zdbDriver.remove(db, to, os.context([mount]))).rejects.toMatchObject({ code: "NOT_READY", retryable: true });
        expect(os.files.get(log)).toBe("keys");
    });

    it("is made anew when its directory is gone too", async () => {
        const { os, mount, db, place } = served();
        const seen = zdbDriver.observe(db, await zdbDriver.gather(os.os, [db]));
        expect(seen).toMatchObject({ state: "drifted", why: expect.stringContaining("a new one is empty") });
        await zdbDriver.remove(db, place, os.context([mount]));
    });
});

describe("a Zdb that is to be kept", () => {
    it("stops listening even when its server has to be started for that", async () => {
        const { os, mount, db } = onMount();
        os.mounted.add(mountPointOf(mount.life));
        os.files.set(`${serverOf(db).data}/${namespaceOf(db)}/d0`, "keys");
        os.started = () => {
            os.server = (words) => (words[0] === "NSINFO" ? "state: ok\n" : "OK");
        };
        await zdbDriver.remove(db, undefined, os.context([mount]));
        expect(os.asked).toContain(`NSSET ${namespaceOf(db)} listen *`);
    });

    it("is not called kept before it has stopped listening", async () => {
        const { os, mount, db } = onMount();
        os.mounted.add(mountPointOf(mount.life));
        os.files.set(`${serverOf(db).data}/${namespaceOf(db)}/d0`, "keys");
        os.started = (unit) => os.running.delete(unit);
        await expect(zdbDriver.remove(db, undefined, os.context([mount]))).rejects.toMatchObject({ code: "NOT_READY", retryable: true });
    });
});

describe("the limits of a server that two Zdbs share", () => {
    it("are the larger ones, those of who stays when one leaves, and nothing where nobody asks any more", async () => {
        const { os, mount, db, place } = onMount();
        os.mounted.add(mountPointOf(mount.life));
        const { unit, data } = serverOf(db);
        const asking = (name: string, limits: Zdb["spec"]["limits"]): Zdb => ({
            ...db,
            life: mintLife(),
            name,
            spec: { ...db.spec, limits },
        });
        const [small, large] = [asking("small", { memory: "64MiB" }), asking("large", { memory: "1GiB", cpu: 2 })];
        const elsewhere = { ...asking("elsewhere", { memory: "8GiB" }), tenant: mintTenantId() };
        for (const each of [db, small, large]) os.files.set(`${data}/${namespaceOf(each)}/log`, "keys");
        const all = [mount, db, small, large, elsewhere] as unknown as readonly Resource[];
        await limitServer(serverOf(db), os.context(all));
        expect(os.limits.get(unit)).toBe(limitsText({ memory: 2 ** 30, cpu: 200 }));
        await zdbDriver.remove(large, trashedNamespace(large), os.context(all));
        expect(os.limits.get(unit)).toBe(limitsText({ memory: 2 ** 26 }));
        const left = all.filter(({ life }) => life !== large.life);
        await zdbDriver.remove(small, place, os.context(left));
        expect(os.limits.get(unit)).toBeUndefined();
    });
});
