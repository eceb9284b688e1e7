import { ApiClient } from "../../engines/zstor/api-client.ts";
import type { StoreStatus } from "../../engines/zstor/status.ts";
import { type Floor, SHARD_BYTES } from "./floor.ts";
import { measured, type Row, rate } from "./measure.ts";
import type { Cluster } from "./servers.ts";

/** One of seven backends is gone for good: until every stripe has all its shards on the six others. */
export async function repair(cluster: Cluster, floor: Floor | undefined): Promise<Row> {
    await cluster.stopFrontEnd();
    await cluster.kill(1);
    // Nothing is dead yet when it starts: it begins when it is asked to.
    await cluster.startFrontEnd(1);
    const client = await ApiClient.open(cluster.socket);
    const status = async (op: "status" | "repair") => (await client.call({ op })) as StoreStatus;
    const before = await status("status");
    let after = before;
    const cost = await measured(cluster, async () => {
        while (after.owed > 0 || after.repairedShards === before.repairedShards) after = await status("repair");
    });
    client.close();
    const shards = after.repairedShards - before.repairedShards;
    const value = rate(shards * SHARD_BYTES, cost.seconds);
    const share = floor ? `, ${(value / floor.repair).toFixed(2)} of the floor` : "";
    return {
        what: "repair of one lost backend of 7",
        figure: `${shards} shards in ${cost.seconds.toFixed(1)} s, ${value.toFixed(0)} MB/s made again${share}`,
        aim: "near the floor, memory <= 200 MB",
        measured: cost,
    };
}
