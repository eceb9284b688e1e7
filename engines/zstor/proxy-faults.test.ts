import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { FAULTS, FaultProxy } from "../../test/zstor/fault-proxy.ts";
import { piecesOf, read, SECRET, SETTINGS } from "../../test/zstor/memory-store.ts";
import { SeededRandom } from "../../test/zstor/random.ts";
import { backendsAt, partsOver } from "../../test/zstor/real-store.ts";
import { startZdb } from "../../test/zstor/zdb-servers.ts";
import { StoreError } from "./object-api.ts";
import { createStore, openStore } from "./opening.ts";
import type { Store } from "./store.ts";
import { systemSurroundings } from "./surroundings.ts";

const seed = Number(process.env.ZEROFORM_SEED ?? 1);
/** `npm run faults:zstor` has 60. */
const schedules = Number(process.env.ZEROFORM_ZSTOR_SCHEDULES ?? 2);
const DATA = ["d0", "d1", "d2", "d3", "d4", "d5", "d6"];
const METADATA = ["m0", "m1", "m2", "m3"];
const NAMES = ["a", "b", "c"];
const OPERATIONS = 5;
/** A shard that nothing comes of is waited for. */
const PATIENCE_MS = 120_000 + schedules * 60_000;

test("over real servers, behind links that do all kinds of harm, no wrong byte is read and nothing acknowledged is lost", {
    timeout: PATIENCE_MS,
}, async () => {
    const server = await startZdb(join(temporaryDirectory(), "zdb"), [...DATA, ...METADATA]);
    const port = Number(new URL(server.url("d0")).port);
    const random = new SeededRandom(seed);
    const proxies = await Promise.all([...DATA, ...METADATA].map(() => FaultProxy.before(port, random)));
    onTestFinished(() => {
        for (const proxy of proxies) proxy.close();
    });
    const urls = [...DATA, ...METADATA].map((name, index) => server.url(name).replace(`:${port}`, `:${proxies[index]?.port}`));
    const metadata = urls.slice(DATA.length);
    const lines: string[] = [];
    const parts = partsOver({ surroundings: systemSurroundings((line) => lines.push(line)), snapshotBytes: 20_000 });
    const backends = backendsAt(urls.slice(0, DATA.length));
    await createStore(parts, SECRET, { metadata, writeQuorum: 3, backends, settings: SETTINGS });
    let store: Store | undefined = await openStore(parts, SECRET, metadata);
    onTestFinished(() => store?.close());

    /** What an object may be: more than one content when the last change of it was not acknowledged. */
    const known = new Map<string, (Buffer | undefined)[]>(NAMES.map((name) => [name, [undefined]]));
    const attempt = async (work: () => Promise<unknown>): Promise<boolean> => {
        try {
            await work();
            return true;
        } catch (error) {
            if (!(error instanceof StoreError)) throw error;
            return false;
        }
    };
    const check = async (open: Store, name: string, told: string): Promise<void> => {
        const found = open.stat(name) === undefined ? undefined : await read(open, name);
        const is = known.get(name)?.find((each) => (each === undefined || found === undefined ? each === found : each.equals(found)));
        expect(is === found || (is !== undefined && found !== undefined), `${told}: ${name} is what was put`).toBe(true);
    };
    const change = async (open: Store): Promise<void> => {
        const name = NAMES[random.below(NAMES.length)] ?? "";
        const content = random.chance(0.2) ? undefined : random.bytes(random.chance(0.3) ? 700_000 : 6000);
        known.set(name, [...(known.get(name) ?? []), content]);
        const work = () => (content ? open.put(name, piecesOf(content)) : open.remove(name));
        if (await attempt(work)) known.set(name, [content]);
    };
    for (let schedule = 0; schedule < schedules; schedule++) {
        const fault = () => FAULTS[random.below(FAULTS.length)];
        const harmed = new Set([random.below(DATA.length), random.below(DATA.length), DATA.length + random.below(METADATA.length)]);
        for (const index of harmed) proxies[index]?.set(fault());
        const words = [...harmed].map((index) => `${[...DATA, ...METADATA][index]} ${proxies[index]?.fault}`).join(", ");
        const told = `seed ${seed}, schedule ${schedule} (${words})`;
        if (random.chance(0.3)) {
            await store?.close();
            store = undefined;
            await attempt(async () => {
                store = await openStore(parts, SECRET, metadata);
            });
        }
        for (let count = 0; store && count < OPERATIONS; count++) {
            const open: Store = store;
            await change(open);
            await attempt(() => check(open, NAMES[random.below(NAMES.length)] ?? "", told));
        }
        for (const index of harmed) proxies[index]?.set(undefined);
        store ??= await openStore(parts, SECRET, metadata);
        const healed = store;
        // The first requests may still meet the connections that have just been closed.
        await attempt(() => healed.journal.verify());
        await store.caretaker.round();
        for (const name of NAMES) await check(store, name, `${told}, whole again`);
    }
});
