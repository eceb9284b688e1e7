import { ApiClient } from "../../engines/zstor/api-client.ts";
import { LongContent } from "../../test/zstor/long-content.ts";
import { randomBlock, textBlock } from "./contents.ts";
import { each, type Floor } from "./floor.ts";
import { type Measured, MIB, measured, percentiles, type Row, rate } from "./measure.ts";
import type { Cluster } from "./servers.ts";

const RANGE_BYTES = 128 * 1024;
const RANGES = 400;
const SMALL_BYTES = 4096;

/** Random bytes and text, there and back, and back without two of the backends. */
export async function* largeObjects(cluster: Cluster, mib: number, floor: Floor | undefined): AsyncGenerator<Row> {
    const client = await ApiClient.open(cluster.socket);
    const bytes = mib * MIB;
    const contents = { random: new LongContent(randomBlock(mib), bytes), text: new LongContent(textBlock(mib), bytes) };
    const row = (what: string, cost: Measured, aim: string, compared?: { readonly value: number; readonly to: string }): Row => {
        const value = rate(bytes, cost.seconds);
        const share = compared ? `, ${(value / compared.value).toFixed(2)} of ${compared.to}` : "";
        return { what, figure: `${value.toFixed(0)} MB/s${share}`, aim, measured: cost };
    };
    let whole = Number.NaN;
    for (const [name, content] of Object.entries(contents)) {
        const put = await measured(cluster, () => client.put(name, content.pieces()));
        yield row(`put ${mib} MiB of ${name}`, put, ">= 200 MB/s, 0.4 of the floor", floor && { value: floor.write, to: "the floor" });
        const get = await measured(cluster, () => content.readFrom(client, name));
        yield row(`get ${mib} MiB of ${name}`, get, ">= 300 MB/s, 0.5 of the floor", floor && { value: floor.read, to: "the floor" });
        if (name === "random") whole = rate(bytes, get.seconds);
    }
    await cluster.kill(2);
    const degraded = await measured(cluster, () => contents.random.readFrom(client, "random"));
    yield row(`get ${mib} MiB of random, 2 backends dead`, degraded, ">= 0.6 of the get", { value: whole, to: "the get" });
    await cluster.restart(2);
    client.close();
}

/** Random ranges of a very large object, and what the front end needs of memory to take it. */
export async function* ranges(cluster: Cluster, gib: number): AsyncGenerator<Row> {
    const client = await ApiClient.open(cluster.socket);
    const content = new LongContent(randomBlock(64), gib * 1024 * MIB);
    const put = await measured(cluster, () => client.put("huge", content.pieces()));
    yield {
        what: `put ${gib} GiB of random`,
        figure: `${rate(content.sizeBytes, put.seconds).toFixed(0)} MB/s`,
        aim: "memory <= 200 MB",
        measured: put,
    };
    const times: number[] = [];
    const before = await fetchedBytes(client);
    const cost = await measured(cluster, () =>
        each(RANGES, 1, async () => {
            const offset = Math.floor(Math.random() * (content.sizeBytes - RANGE_BYTES));
            const began = performance.now();
            await content.readFrom(client, "huge", offset, RANGE_BYTES);
            times.push(performance.now() - began);
        }),
    );
    const fetched = ((await fetchedBytes(client)) - before) / (RANGES * RANGE_BYTES);
    yield {
        what: `random range of 128 KiB of ${gib} GiB`,
        figure: `${percentiles(times)}, ${fetched.toFixed(1)} x fetched`,
        aim: "p50 <= 10 ms, <= 8 x fetched",
        measured: cost,
    };
    client.close();
}

/** Objects of 4 KiB, so many at once, and what is stored for them. */
export async function smallObjects(cluster: Cluster, lanes: number, count: number, aim: number): Promise<Row> {
    const content = randomBlock(1).subarray(0, SMALL_BYTES);
    const before = await cluster.storedBytes();
    let next = 0;
    const cost = await measured(cluster, async () => {
        const lane = async (index: number) => {
            const client = await ApiClient.open(cluster.socket);
            while (next < count) {
                // Each differs, as objects do.
                content.writeUInt32LE(next);
                await client.put(`small/${lanes}/${index}/${next++}`, new LongContent(Buffer.from(content), SMALL_BYTES).pieces());
            }
            client.close();
        };
        await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
    });
    const stored = ((await cluster.storedBytes()) - before) / (count * SMALL_BYTES);
    return {
        what: `put ${count} x 4 KiB, ${lanes} at once`,
        figure: `${(count / cost.seconds).toFixed(0)} a second, ${stored.toFixed(2)} x stored`,
        aim: `>= ${aim}, <= 3 x stored`,
        measured: cost,
    };
}

/** Small objects that came one by one, packed into common stripes; by itself the front end does that when they are half a minute old. */
export async function packing(cluster: Cluster, count: number, storedBefore: number): Promise<Row> {
    const client = await ApiClient.open(cluster.socket);
    const cost = await measured(cluster, () => client.call({ op: "repack" }));
    client.close();
    const stored = ((await cluster.storedBytes()) - storedBefore) / (count * SMALL_BYTES);
    return {
        what: `these ${count} packed`,
        figure: `${(count / cost.seconds).toFixed(0)} a second, ${stored.toFixed(2)} x stored`,
        aim: "<= 3 x stored",
        measured: cost,
    };
}

/** What backends gave since the front end began. */
async function fetchedBytes(client: ApiClient): Promise<number> {
    const text = String(await client.call({ op: "metrics" }));
    const samples = text.matchAll(/^zstor_backend_request_bytes_total\{[^}]*request="get"[^}]*\} (\d+)/gm);
    return [...samples].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}
