import { randomBytes } from "node:crypto";
import type { Backend } from "../../engines/zstor/backend.ts";
import { systemClock } from "../../engines/zstor/surroundings.ts";
import { zdbBackend } from "../../engines/zstor/zdb-backend.ts";
import { measured, type Row, rate } from "./measure.ts";
import type { Cluster } from "./servers.ts";

/** What a full shard has at 4+2. */
export const SHARD_BYTES = 524_352;
const LANES = 48;

export interface Floor {
    readonly rows: readonly Row[];
    /** MB of user data a second. */
    readonly write: number;
    readonly read: number;
    /** MB a second that are made again: K shards read and one written for each. */
    readonly repair: number;
}

/** The same shard bytes into the same namespaces by a bare pipelined client: no compression, no cipher, no parity, no metadata. */
export async function floor(cluster: Cluster, bytes: number): Promise<Floor> {
    const backends = cluster.urls("bare").map((url) => zdbBackend(url, systemClock));
    const shards = Math.ceil((bytes * 1.5) / SHARD_BYTES);
    const shard = randomBytes(SHARD_BYTES);
    const keys = Array.from({ length: shards }, () => randomBytes(28));
    const on = (index: number) => backends[index % backends.length] as Backend;
    const keyAt = (index: number) => keys[index] ?? shard;
    const store = (index: number, key: Uint8Array) => {
        // Values differ, or the server would write nothing.
        const value = Buffer.from(shard);
        value.writeUInt32LE(index);
        return on(index).set(key, value);
    };
    const write = await measured(cluster, () => each(shards, LANES, (index) => store(index, keyAt(index))));
    const read = await measured(cluster, () =>
        each(shards, LANES, async (index) => {
            if (index % 3 !== 2) await on(index).get(keyAt(index));
        }),
    );
    const made = Math.floor(shards / 6);
    const repair = await measured(cluster, () =>
        each(made, 8, async (index) => {
            await Promise.all([0, 1, 2, 3].map((other) => on(index * 6 + other).get(keyAt(index * 6 + other))));
            await store(index, randomBytes(28));
        }),
    );
    for (const backend of backends) backend.close();
    const figures = {
        write: rate(bytes, write.seconds),
        read: rate(bytes, read.seconds),
        repair: rate(made * SHARD_BYTES, repair.seconds),
    };
    const row = (what: string, value: number, cost: Row["measured"], of: string): Row => ({
        what: `floor: ${what}`,
        figure: `${value.toFixed(0)} MB/s of ${of}`,
        ...(cost ? { measured: cost } : {}),
    });
    return {
        ...figures,
        rows: [
            row("K + M shards written", figures.write, write, "user data"),
            row("K of K + M shards read", figures.read, read, "user data"),
            row("K shards read, one written", figures.repair, repair, "shards made"),
        ],
    };
}

export async function each(count: number, lanes: number, work: (index: number) => Promise<unknown>): Promise<void> {
    let next = 0;
    const lane = async () => {
        while (next < count) await work(next++);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
}
