import { readFileSync, writeSync } from "node:fs";
import { keysOf } from "../../engines/zstor/backend.ts";
import { arm, type Failpoint } from "../../engines/zstor/failpoint.ts";
import { CHUNK_BYTES, DRAFT_STRIPES, MERGED_AT_LEAST, SHARD_CHUNKS, STRIPES_IN_FLIGHT } from "../../engines/zstor/limits.ts";
import { StoreError } from "../../engines/zstor/object-api.ts";
import { createStore, openStore } from "../../engines/zstor/opening.ts";
import { EMPTY } from "../../engines/zstor/record.ts";
import type { Store } from "../../engines/zstor/store.ts";
import { systemClock, systemSurroundings } from "../../engines/zstor/surroundings.ts";
import { piecesOf, read, SECRET, SETTINGS } from "./memory-store.ts";
import { SeededRandom } from "./random.ts";
import { backendsAt, partsOver } from "./real-store.ts";

/** What the process is told; `failpoint` undefined: it does nothing but look. */
export interface Orders {
    readonly view: string;
    /** One more than the store has: for one of them another is exchanged. */
    readonly metadata: readonly string[];
    readonly data: readonly string[];
    readonly failpoint: Failpoint | undefined;
    readonly times: number;
    readonly seed: number;
    /** Of each object what it may be: `<seed> <bytes>`, or `nothing`. */
    readonly known: Readonly<Record<string, readonly string[]>>;
}

const orders = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Orders;
/** Nothing of it may be lost with the process. */
const say = (...words: string[]) => writeSync(1, `${words.join("\t")}\n`);
const DAY_MS = 24 * 3_600_000;
const NOTHING = "nothing";
const WRITE_QUORUM = 2;
const DATA_SHARDS = 2;
const STRIPE_BYTES = DATA_SHARDS * SHARD_CHUNKS * CHUNK_BYTES;

let aheadMs = 0;
const parts = partsOver({
    surroundings: {
        ...systemSurroundings(() => undefined),
        clock: { ...systemClock, nowMs: () => Date.now() + aheadMs },
    },
    viewPath: orders.view,
    snapshotBytes: 3000,
});

async function opened(): Promise<Store> {
    const { metadata, data } = orders;
    const backends = backendsAt(data);
    const settings = { ...SETTINGS, dataShards: DATA_SHARDS, parityShards: 1 };
    try {
        return await openStore(parts, SECRET, metadata);
    } catch (error) {
        if (!(error instanceof StoreError) || error.failure !== "not-found") throw error;
        await createStore(parts, SECRET, { metadata: metadata.slice(1), writeQuorum: WRITE_QUORUM, backends, settings });
        return openStore(parts, SECRET, metadata);
    }
}

const contentOf = (spec: string): Buffer => {
    const [seed, bytes] = spec.split(" ").map(Number);
    return new SeededRandom(seed ?? 0).bytes(bytes ?? 0);
};

/** Everything that was acknowledged is there, and after a sweep nothing else. */
async function verify(store: Store): Promise<void> {
    for (const [name, possible] of Object.entries(orders.known)) {
        const found = store.stat(name) === undefined ? undefined : await read(store, name);
        const spec = possible.find((each) => (each === NOTHING ? found === undefined : found?.equals(contentOf(each))));
        if (spec === undefined)
            throw new Error(`${name} is ${found ? `${found.length} other bytes` : "not there"}, and not ${possible.join(" or ")}`);
        say("is", name, spec);
    }
    for (let round = 0; round < 2; round++) {
        await store.caretaker.round();
        await store.caretaker.sweep();
        aheadMs += 2 * DAY_MS;
    }
    const named = new Set<string>();
    for (const { id, layout, refs } of store.view.everyStripe()) {
        if (refs === 0) throw new Error(`stripe ${id} was not freed`);
        const { backends = [], moves = [] } = store.view.layout(layout) ?? {};
        for (const [index, backend] of backends.entries())
            if (backend !== EMPTY) named.add(`${backend} ${store.keys.shardKey(id, index, moves[index] ?? 0).toString("hex")}`);
    }
    for (const { config, backend } of store.pool.all())
        for await (const { key } of keysOf(backend))
            if (!named.delete(`${config.id} ${key.toString("hex")}`))
                throw new Error(`backend ${config.id} has a shard that nothing names`);
    if (named.size > 0) throw new Error(`${named.size} shards are not where the metadata say`);
    say("verified");
}

/** All that an engine does, each once. */
async function work(store: Store): Promise<void> {
    const random = new SeededRandom(orders.seed);
    const change = async (name: string, spec: string, done: () => Promise<unknown>) => {
        say("begins", name, spec);
        await done();
        say("did", name, spec);
    };
    const put = (name: string, bytes: number) => {
        const spec = `${random.u32()} ${bytes}`;
        return change(name, spec, () => store.put(name, piecesOf(contentOf(spec))));
    };
    const drain = (id: number | undefined) =>
        store.reconfigure({ backends: store.config.backends.map((each) => ({ ...each, state: each.id === id ? "draining" : "active" })) });
    await drain(undefined);
    await Promise.all([put("small/1", 3000), put("small/2", 70_000), put("large", 1_500_000)]);
    // Long enough that its first stripes are named before its end, also when as many as may are still on their way.
    if (orders.failpoint?.startsWith("put:")) await put("long", (DRAFT_STRIPES + STRIPES_IN_FLIGHT + 2) * STRIPE_BYTES);
    await put("large", 900_000);
    await put("removed", 5000);
    await change("removed", NOTHING, () => store.remove("removed"));
    await drain(2 + random.below(orders.data.length));
    await store.caretaker.round();
    await drain(undefined);
    await store.rotateWrapping();
    await store.caretaker.round();
    // Each in a stripe of its own, and so many that they are packed into one.
    for (let index = 0; index < MERGED_AT_LEAST; index++) await put(`packed/${index}`, 1000);
    await store.caretaker.repack();
    await exchange(store, random);
    const epoch = Buffer.alloc(4);
    epoch.writeUInt32BE(store.journal.epoch);
    const member = store.pool.all()[0];
    for (let orphan = 0; orphan < 2; orphan++)
        await member?.backend.set(Buffer.concat([store.keys.prefix, epoch, random.bytes(16)]), random.bytes(100));
    await store.caretaker.sweep();
    aheadMs += 2 * DAY_MS;
    await store.caretaker.sweep();
    say("end");
}

/** A metadata namespace for another one. */
async function exchange(store: Store, random: SeededRandom): Promise<void> {
    const now = store.config.metadata;
    const leaving = random.pick(now);
    const joining = orders.metadata.filter((url) => !now.includes(url));
    store.exchange.want({ metadata: [...joining, ...now.filter((url) => url !== leaving)], writeQuorum: WRITE_QUORUM });
    await store.caretaker.round();
}

/** Some points lie before the store is open. */
const isEarly = orders.failpoint?.startsWith("takeover:");
const die = () => process.kill(process.pid, "SIGKILL");
if (isEarly && orders.failpoint) arm(orders.failpoint, 1, die);
const store = await opened();
await verify(store);
if (orders.failpoint) {
    arm(orders.failpoint, orders.times, die);
    await work(store);
}
process.exit(0);
