import { statfsSync } from "node:fs";
import * as path from "node:path";
import type { CommandContext } from "./command.ts";
import { debtBytes } from "./compaction-plan.ts";
import type { Latency } from "./latency.ts";
import { formatListen } from "./listen-address.ts";
import type { Namespace } from "./namespace.ts";
import type { Properties } from "./properties.ts";
import { formatRetention } from "./retention.ts";
import { segmentName } from "./segment-header.ts";
import type { Unavailable } from "./unavailable.ts";

type Line = readonly [key: string, value: string | number];

/** What the original reckons for an entry of its index, beside the key; clients have learnt to expect it. */
const INDEX_ENTRY_BYTES = 64;

/** The text of NSINFO: `key: value` lines in the original's order, ours at the end. Clients parse it as YAML. */
export function namespaceInfo(namespace: Namespace, context: CommandContext, forAdmin: boolean): string {
    const { properties, log, measures } = namespace;
    const indexBytes = properties.mode === "user" ? namespace.entries * INDEX_ENTRY_BYTES + namespace.keys.keyBytes : 0;
    const dataFree = freeBytes(namespace.directory);
    const indexFree = freeBytes(context.indexDirectory);
    const indexPath = path.join(context.indexDirectory, namespace.name);
    const lines: Line[] = [
        ["name", namespace.name],
        ["entries", namespace.entries],
        ["public", yesNo(properties.public)],
        ["worm", yesNo(properties.worm)],
        ["locked", yesNo(properties.access !== "open")],
        ["password", yesNo(properties.password !== "")],
        ["data_size_bytes", namespace.liveBytes],
        ["data_size_mb", mebibytes(namespace.liveBytes)],
        ["data_limits_bytes", properties.maxsize],
        ["index_size_bytes", indexBytes],
        ["index_size_kb", (indexBytes / 1024).toFixed(2)],
        ["next_internal_id", hexId(namespace.nextId())],
        ["mode", properties.mode === "user" ? "userkey" : "sequential"],
        ["stats_index_io_errors", 0],
        ["stats_index_io_error_last", 0],
        ["stats_index_faults", 0],
        ["stats_data_io_errors", measures.readErrors + measures.writeErrors],
        ["stats_data_io_error_last", Math.max(measures.lastReadErrorS, measures.lastWriteErrorS)],
        ["stats_data_faults", 0],
    ];
    if (properties.maxsize > 0) lines.push(["space_available", Math.max(0, properties.maxsize - namespace.liveBytes)]);
    lines.push(
        ["index_disk_freespace_bytes", indexFree],
        ["index_disk_freespace_mb", mebibytes(indexFree)],
        ["data_disk_freespace_bytes", dataFree],
        ["data_disk_freespace_mb", mebibytes(dataFree)],
    );
    if (forAdmin) {
        lines.push(
            ["data_path", namespace.directory],
            ["data_active", path.join(namespace.directory, segmentName(log.activeSegment))],
            ["index_path", indexPath],
            ["index_active", path.join(indexPath, `i${log.activeSegment}`)],
            ["data_current_id", log.activeSegment],
            ["data_current_offset", log.activeOffset],
        );
    }
    lines.push(
        ["access", properties.access],
        ["durability", namespace.durabilityText],
        ["history", formatRetention(properties.history)],
        ["hook", properties.hook || "none"],
        ["state", namespace.disturbance?.replaceAll(": ", ", ") ?? "ok"],
        ["scrub", context.scrubs ? scrubText(namespace) : "off"],
        ["tls", tlsText(properties)],
        ["listen", quoted(formatListen(properties.listen))],
        ["listening", context.listeners.stateOf(properties)],
        ...figures(namespace),
    );
    return textOf(lines);
}

/** Ours: what the scrub found, and when it was through, in Unix seconds. */
function scrubText({ scrubbed: { endedMs, damaged } }: Namespace): string {
    const when = endedMs === undefined ? "not through yet" : `through at ${Math.floor(endedMs / 1000)}`;
    return damaged === 0 ? `ok (${when})` : `${damaged} damaged (${when})`;
}

/** Ours: what it takes on disk, and what was done since it was opened. */
function figures({ measures: done, segments, upkeep }: Namespace): Line[] {
    const { totalBytes, neededBytes } = upkeep.use;
    return [
        ["log_bytes", totalBytes],
        ["log_live_bytes", segments.liveBytes],
        ["log_kept_bytes", neededBytes - segments.liveBytes - segments.historyBytes],
        ["log_history_bytes", segments.historyBytes],
        ["log_dead_bytes", Math.max(0, totalBytes - neededBytes)],
        ["compaction_debt_bytes", debtBytes(upkeep.use)],
        ["compactions", done.compactions],
        ["compacted_bytes", done.compactedBytes],
        ["delayed_writes", done.delayedWrites],
        ["ops_read", done.reads],
        ["ops_write", done.writes],
        ["ops_delete", done.deletes],
        ["ops_scan", done.scans],
        ...latency("read", done.readLatency),
        ...latency("write", done.writeLatency),
        ...latency("fsync", done.syncLatency),
    ];
}

const latency = (name: string, { text, sumUs }: Latency): Line[] => [
    [`${name}_us`, text],
    [`${name}_us_sum`, sumUs],
];

/** What can be said of a namespace whose log could not be read. */
export function unavailableInfo({ name, directory, reason }: Unavailable): string {
    return textOf([
        ["name", name],
        ["data_path", directory],
        ["state", `unavailable (${reason})`],
        ["listening", "no (the namespace is unavailable)"],
    ]);
}

function textOf(lines: readonly Line[]): string {
    return `# namespace\n${lines.map(([key, value]) => `${key}: ${value}\n`).join("")}`;
}

const tlsText = ({ tls }: Properties): string => {
    if (!tls) return "none";
    return tls.kind === "certificate" ? tls.digest : tls.kind;
};

/** YAML takes a bracket at the beginning for a list. */
const quoted = (text: string): string => (text.includes("[") ? `"${text}"` : text);

/** The next id with its bytes in the order of the keys; the original drops leading zeros of small ones, which misleads clients. */
function hexId(id: number): string {
    if (id === 0) return "0x00000000";
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(id));
    return `0x${bytes.toString("hex")}`;
}

function freeBytes(directory: string): number {
    try {
        const { bavail, bsize } = statfsSync(directory);
        return bavail * bsize;
    } catch {
        return 0;
    }
}

const yesNo = (value: boolean): string => (value ? "yes" : "no");
export const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(2);
