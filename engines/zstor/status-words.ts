import type { Bearing } from "./bearing.ts";
import type { BackendStatus, StoreStatus } from "./status.ts";

/** The status for a person: what is wrong first, then what is there. */
export function wordsOf({
    objects,
    bytes,
    stripes,
    storedBytes,
    spare,
    bears,
    owed,
    metadata,
    backends,
    warnings,
    rebalance,
    cache,
}: StoreStatus): string {
    const lines = warnings.map((warning) => `! ${warning}`);
    if (lines.length === 0) lines.push("All is well.");
    lines.push(
        `${objects} objects of ${bytes} bytes in ${stripes} stripes, whose shards are ${storedBytes} bytes${timesOf(storedBytes, bytes)}.`,
    );
    for (const [more, count] of Object.entries(spare).sort(([a], [b]) => Number(a) - Number(b)))
        lines.push(`${count} stripes ${bearing(Number(more))}.`);
    if (bears !== undefined) lines.push(`What could still be lost: ${losses(bears)}.`);
    lines.push(owed === 0 ? "Nothing is owed." : `${owed} stripes are owed shards.`);
    if (rebalance)
        lines.push(
            `Rebalance: ${rebalance.checkedStripes} stripes looked at, ${rebalance.movedShards} shards moved${rebalance.isRunning ? "" : ", done"}.`,
        );
    lines.push(
        `Metadata: ${metadata.replicas} replicas, ${metadata.quorum} have to answer, ${metadata.behind.length} behind, at batch ${metadata.sequence}.`,
    );
    if (cache)
        lines.push(
            `Cache: ${cache.usedBytes} of ${cache.sizeBytes} bytes, ${cache.hits} chunks found in it and ${cache.misses} not since the front end was started.`,
        );
    for (const backend of backends) lines.push(`Backend ${backend.name} in group ${backend.group}: ${healthOf(backend)}.`);
    for (const { name, state } of metadata.members) lines.push(`Metadata replica ${name}: ${state}.`);
    if (metadata.removed.length > 0)
        lines.push(
            `Taken out of the metadata, and not told yet: ${metadata.removed.join(", ")}. Nothing depends on it: it is emptied when it answers within a day, and then forgotten; one that is gone for good needs nothing, one that comes back later is emptied by hand.`,
        );
    return `${lines.join("\n")}\n`;
}

function timesOf(storedBytes: number, bytes: number): string {
    return bytes === 0 ? "" : `: ${(storedBytes / bytes).toFixed(2)} times as many`;
}

/** In the words of somebody who asks what may happen next. */
function losses({ backends, groups }: Bearing): string {
    if (backends < 0) return "nothing, some objects cannot be read now";
    if (backends === 0) return "no further backend";
    const any = `any ${counted(backends, "backend")}`;
    return groups > 0 ? `${any}, or any ${counted(groups, "whole group")}, such as a machine` : `${any}, but no whole group`;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

function bearing(more: number): string {
    if (more < 0) return `cannot be read now: ${-more} shards too few answer`;
    return more === 0 ? "can be read, and bear no further loss" : `bear the loss of ${counted(more, "more backend")}`;
}

function healthOf({ state, breaker, retryInMs, readMs, slow, tardy, usedBytes }: BackendStatus): string {
    const words = [state];
    if (breaker === "half-open") words.push("is being probed");
    if (retryInMs !== undefined) words.push(`probed again in ${Math.ceil(retryInMs / 1000)} s`);
    const times = readMs?.small ?? readMs?.large;
    if (times) words.push(`answers reads in ${times.median} ms, 95 of 100 in ${times.p95} ms`);
    if (slow) words.push("slow: asked after the others");
    if (tardy) words.push("slow to write: not waited for");
    if (usedBytes !== undefined) words.push(`${usedBytes} bytes used`);
    return words.join(", ");
}
