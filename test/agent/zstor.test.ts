import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Resource } from "../../agent/primitives/driver.ts";
import { namespaceOf, type Zdb } from "../../agent/primitives/zdb-places.ts";
import { SUPERSEDED } from "../../agent/primitives/zstor-front-end.ts";
import { cacheOf, frontEndOf, type ZStor } from "../../agent/primitives/zstor-places.ts";
import { prefixOf } from "../prefix.ts";
import { changed, Rig } from "./driver/rig.ts";
import { placeProgram } from "./in-host.ts";

const AGENT = "/var/lib/zeroform/current/zeroform-agent";
const PASSWORD = "of-all-namespaces";

describe("a ZStor on a real host", () => {
    let rig: Rig;
    let urls: readonly string[];
    const zdbs: Resource[] = [];
    beforeAll(async () => {
        rig = await Rig.start(prefixOf("v"), 2 * 2 ** 30);
        await placeProgram(rig.host, "engines/zstor/standalone.ts", "zstor.js");
        for (const index of [0, 1, 2, 3, 4, 5, 6, 7]) {
            const spec = { size: "64MiB", durability: "commit", password: PASSWORD, port: 9900, listen: rig.host.address };
            zdbs.push(rig.zdb(`part-${index}`, { ...spec, oversubscribe: true }));
        }
        for (const zdb of zdbs) await rig.run("apply", zdb, { resources: zdbs });
        urls = zdbs.map((zdb) => `redis://${namespaceOf(zdb as unknown as Zdb)}:${PASSWORD}@${rig.host.address}:9900`);
    });
    afterAll(() => rig?.stop());

    const backends = (...indexes: readonly number[]) =>
        indexes.map((index) => ({ url: urls[index], group: `g${index}`, disk: `d${index}` }));
    const wanted = (name: string, more: Readonly<Record<string, unknown>> = {}) =>
        rig.zstor(name, { backends: backends(0, 1, 2), metadata: urls.slice(4, 7), dataShards: 2, parityShards: 1, ...more });
    const admitted = async (resource: Resource, old?: Resource): Promise<Resource> => {
        const spec = await rig.run("admit", resource, old === undefined ? {} : { old });
        return { ...resource, spec: spec as Resource["spec"] };
    };
    const secretOf = (resource: Resource) => String((resource.spec as Readonly<Record<string, unknown>>).secret);
    const on = (resource: Resource, words: string, input = "") =>
        rig.sh(`${AGENT} zstor --socket ${frontEndOf(resource).socket} ${words}`, input);
    const seen = async (resource: Resource) => (await rig.run("observe", resource)) as { readonly state: string; readonly why?: string };
    /** A front end that is being started again needs a moment. */
    const untilReady = (resource: Resource) =>
        rig.run("apply", resource).then(() => expect(seen(resource)).resolves.toMatchObject({ state: "ready" }));

    it("keeps what was read on a mount, as its own user, takes that in place, does without it, and takes it away", async () => {
        const disk = rig.mount("cache", "96MiB");
        await rig.run("apply", disk);
        const wantedWith = (cache: Resource | undefined, more: Readonly<Record<string, unknown>> = {}) =>
            rig.zstor(
                "cached",
                { backends: backends(0, 1, 2), metadata: [urls[3]], dataShards: 2, parityShards: 1, secret: PASSWORD.repeat(2), ...more },
                cache,
            );
        const first = await admitted(wantedWith(disk, { cacheSize: "32MiB" }));
        const as = (resource: Resource): Resource => ({ ...resource, life: first.life });
        await rig.run("apply", first);
        expect(await rig.run("observe", first)).toEqual({ state: "ready", outputs: { socket: frontEndOf(first).socket } });
        const place = cacheOf(first as ZStor);
        if (place === undefined) throw new Error("a cache has a place");
        const cacheStatus = async () => JSON.parse(await on(first, "status")).cache;
        // What was read is kept a moment later.
        const cli = `${AGENT} zstor --socket ${frontEndOf(first).socket}`;
        const untilFound = () =>
            rig.sh(`until ${cli} get letters/one > /dev/null && ${cli} status | grep -q '"hits": [1-9]'; do sleep 0.1; done`);
        const content = "read again and again ".repeat(1000);
        await on(first, "put letters/one", content);
        await untilFound();
        expect(await on(first, "get letters/one")).toBe(content.trim());
        expect(await cacheStatus()).toMatchObject({ sizeBytes: 32 * 2 ** 20, isLost: false });
        expect(await rig.sh(`stat -c '%U %a' ${place.directory}; stat -c '%U %a' ${place.directory}/..`)).toBe(
            "zeroform-zstor 700\nroot 711",
        );
        expect(await rig.sh(`grep -rl 'again and again' ${place.directory} | wc -l`)).toBe("0");

        // Found again by the next process, which takes another size.
        await rig.run("apply", as(wantedWith(disk, { cacheSize: "16MiB" })));
        await untilFound();
        expect(await on(first, "get letters/one")).toBe(content.trim());
        expect(await cacheStatus()).toMatchObject({ sizeBytes: 16 * 2 ** 20 });

        // Whoever unmounts it ends the front end with it, which comes back without its cache, and with it once that is there.
        await rig.sh(`systemctl stop ${place.mountUnit}; ! systemctl is-active ${frontEndOf(first).unit}`);
        const smaller = as(wantedWith(disk, { cacheSize: "16MiB" }));
        await rig.run("apply", smaller);
        expect(await on(first, "get letters/one")).toBe(content.trim());
        expect(await cacheStatus()).toMatchObject({ isLost: true });
        expect(await seen(smaller)).toMatchObject({
            state: "ready",
            notes: expect.arrayContaining([expect.stringContaining("nothing is cached now")]),
        });
        await rig.run("apply", disk);
        expect(await seen(smaller)).toMatchObject({ state: "drifted", why: "its front end does not see the disk of its cache" });
        await untilReady(smaller);
        await untilFound();
        expect(await on(first, "get letters/one")).toBe(content.trim());

        const without = as(wantedWith(undefined));
        await rig.run("apply", without);
        expect(await seen(without)).toMatchObject({ state: "ready" });
        expect(await rig.sh(`ls -A $(dirname ${place.directory})`)).toBe("");
        expect(await on(first, "get letters/one")).toBe(content.trim());
        await rig.run("remove", without);
        await rig.run("remove", disk);
    });

    it("is made with a secret of its own, heals, changes in place, and is found again by another front end", async () => {
        const first = await admitted(wanted("store", { redundantGroups: 1 }));
        expect(secretOf(first)).toMatch(/^[\w-]{43}$/);
        await rig.run("apply", first);
        expect(await rig.run("observe", first)).toEqual({ state: "ready", outputs: { socket: frontEndOf(first).socket } });
        await on(first, "put letters/one", "kept by many");
        // Large enough to have a shard on each backend.
        await on(first, "put letters/two", randomBytes(300_000).toString("hex"));
        expect(await on(first, "get letters/one")).toBe("kept by many");

        // It runs as its own user, and nobody else learns what it knows.
        const { unit, config, superseded } = frontEndOf(first);
        expect(await rig.sh(`ps -o user:20= -p $(systemctl show -P MainPID ${unit})`)).toBe("zeroform-zstor");
        expect(await rig.sh(`stat -c '%U %a' ${config}`)).toBe("zeroform-zstor 600");
        const open = await rig.sh("ps axww -o args; journalctl -o cat --no-pager; cat /etc/systemd/system/zeroform-zstor*");
        for (const secret of [secretOf(first), PASSWORD]) expect(open).not.toContain(secret);

        await rig.sh(`systemctl kill --signal=KILL ${unit}`);
        await untilReady(first);
        expect(await on(first, "get letters/one")).toBe("kept by many");

        // Another secret, another backend in the place of one, and another namespace for metadata in the place of one, in one change.
        const [, two = "", three = "", four = ""] = urls.slice(4);
        await rig.run("apply", changed(zdbs[6] as Resource, { password: "of-one-namespace" }), { resources: zdbs });
        const metadata = [two, three.replace(PASSWORD, "of-one-namespace"), four];
        const changing = changed(first, { secret: "given by the program", backends: backends(0, 1, 3), metadata });
        const second = await admitted(changing, first);
        await rig.run("apply", second);
        // What was taken out may go at once: nothing of the store is on it any more.
        const emptied = () =>
            on(second, "status").then((text) => JSON.parse(text).backends.filter(({ draining }: { draining?: true }) => draining));
        expect(await emptied()).toMatchObject([{ name: expect.stringMatching(/^part-2-/), stripes: 0 }]);
        expect(await seen(second)).toMatchObject({ state: "ready" });
        expect(await on(second, "get letters/one")).toBe("kept by many");
        const { metadata: now } = JSON.parse(await on(second, "status"));
        expect(now).toMatchObject({ configuration: 2, replicas: 3, removed: [] });
        expect(JSON.stringify(now.members)).toMatch(/part-7-.*part-5-.*part-6-/);
        // Every replica of the metadata is written to, also the one with another password.
        await rig.sh(`until ${AGENT} zstor --socket ${frontEndOf(second).socket} status | grep -F '"behind": []'; do sleep 0.2; done`);
        const text = await rig.sh(`cat ${config}`);
        expect([text.includes(secretOf(second)), text.includes(secretOf(first))]).toEqual([true, false]);
        // What cannot be is said by the engine.
        const narrow = changed(second, { redundantGroups: 2 });
        await rig.run("apply", narrow);
        expect((await seen(narrow)).why).toMatch(
            /^the backends cannot hold what is asked for: after a loss of 2 groups .* there are 3 groups/,
        );
        await rig.run("apply", second);
        expect(await emptied()).toEqual([]);

        // Without its secret nobody makes another store in its place, or opens it.
        await expect(rig.run("inquire", wanted("stranger", { metadata }))).rejects.toMatchObject({
            code: "CONFLICT",
            message: expect.stringMatching(/no secret is given, and metadata namespaces hold a store already: part-5-.*part-6-.*part-7-/),
        });
        expect(await rig.run("inquire", wanted("known", { metadata, secret: secretOf(second) }))).toBeNull();
        const stranger = await admitted(wanted("stranger"));
        await expect(rig.run("apply", stranger)).rejects.toMatchObject({
            code: "NOT_READY",
            message: expect.stringContaining("the secret opens none of the store records"),
            hint: expect.stringContaining("give its secret"),
        });
        await rig.run("remove", stranger);

        // With it another front end takes over; the first one stays away until somebody asks for it.
        const recovered = await admitted(
            wanted("elsewhere", { secret: secretOf(second), backends: backends(0, 1, 3), metadata, redundantGroups: 1 }),
        );
        await rig.run("apply", recovered);
        expect(await on(recovered, "get letters/one")).toBe("kept by many");
        await expect(on(second, "put letters/two", "too late")).rejects.toThrow();
        await rig.sh(`until [ -e ${superseded} ]; do sleep 0.1; done; ! systemctl is-active ${unit}; systemctl start ${unit}`);
        expect(await seen(second)).toMatchObject({ state: "drifted", why: SUPERSEDED });
        await expect(rig.run("apply", second)).rejects.toMatchObject({ code: "CONFLICT", message: SUPERSEDED });
        await admitted(second, second);
        await rig.run("apply", second);
        expect(await on(second, "get letters/one")).toBe("kept by many");

        for (const each of [recovered, second]) await rig.run("remove", each);
        expect(await rig.sh("ls /var/lib/zeroform/zstor /var/lib/zeroform/services | grep -c zstor- || true")).toBe("0");
        expect(await rig.sh("systemctl list-units --all 'zeroform-zstor@*' --no-legend")).toBe("");
    });
});
