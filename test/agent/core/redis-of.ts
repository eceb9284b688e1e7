import { Redis } from "ioredis";
import type { HostInfo } from "../../../dev/hosts/index.ts";
import type { ResourceReport } from "../../../protocol/api.ts";

/** A client of a store, as a user of the program has it: it waits for a server that is being started again. */
export const redisOf = (host: HostInfo, db: ResourceReport): Redis => {
    const redis = new Redis({
        host: host.address,
        port: Number(db.spec.port),
        username: String(db.outputs.namespace),
        password: db.generatedSecrets.password ?? "",
        lazyConnect: true,
        enableReadyCheck: false,
        maxRetriesPerRequest: 50,
        retryStrategy: () => 100,
    });
    redis.on("error", () => undefined);
    return redis;
};
