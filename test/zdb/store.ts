import * as path from "node:path";
import { type Disk, nodeDisk } from "../../engines/zdb/disk.ts";
import { DiskSpace } from "../../engines/zdb/disk-space.ts";
import { DEFAULT_DURABILITY, type Durability } from "../../engines/zdb/durability.ts";
import type { Namespace } from "../../engines/zdb/namespace.ts";
import { Namespaces } from "../../engines/zdb/namespaces.ts";
import { OpenFiles } from "../../engines/zdb/open-files.ts";
import type { Power } from "../../engines/zdb/power.ts";
import type { Mode } from "../../engines/zdb/properties.ts";
import type { Seal } from "../../engines/zdb/seal.ts";
import { systemTimers, type Timers } from "../../engines/zdb/syncer.ts";
import type { Upkeep, UpkeepParts } from "../../engines/zdb/upkeep.ts";

export interface StoreOptions {
    /** Replies that waited for a log may be sent. */
    readonly acknowledged?: () => void;
    readonly renewed?: (before: Namespace, now: Namespace) => void;
    readonly disk?: Disk;
    readonly timers?: Timers;
    readonly power?: Power;
    readonly durability?: Durability;
    readonly segmentBytes?: number;
    readonly checkpointBytes?: number;
    readonly seal?: Seal;
    readonly mode?: Mode;
    readonly openFiles?: number;
    /** Nothing is rewritten by itself without one. */
    readonly upkeep?: (parts: UpkeepParts) => Upkeep;
    /** None by default: writing it takes longer than most tests. */
    readonly reserveBytes?: number;
}

/** The namespaces of a directory without a server around them. */
export interface Store {
    readonly namespaces: Namespaces;
    /** What the operator was told. */
    readonly lines: string[];
    readonly standard: Namespace;
}

export async function openStore(directory: string, options: StoreOptions = {}): Promise<Store> {
    const disk = options.disk ?? nodeDisk;
    const timers = options.timers ?? systemTimers;
    const lines: string[] = [];
    const parts = {
        disk,
        timers,
        power: options.power,
        indexDirectory: path.join(directory, ".index"),
        space: new DiskSpace(disk, directory, () => timers.nowMs(), options.reserveBytes ?? 0),
        files: new OpenFiles(options.openFiles),
        durability: options.durability ?? DEFAULT_DURABILITY,
        seal: options.seal,
        segmentBytes: options.segmentBytes,
        checkpointBytes: options.checkpointBytes,
        upkeep: options.upkeep?.({ timers, log: (line) => lines.push(line) }),
        log: (line: string) => lines.push(line),
        acknowledged: options.acknowledged ?? (() => undefined),
        segmentBegun: () => undefined,
        missing: async () => false,
        renewed: options.renewed ?? (() => undefined),
        arrived: () => undefined,
    };
    const namespaces = new Namespaces(parts, directory, options.mode);
    await namespaces.load();
    const standard = namespaces.get("default");
    if (!standard) throw new Error("no default namespace");
    return { namespaces, lines, standard };
}

export const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

export function put(namespace: Namespace, key: string, value: string, timestamp = 1): Buffer {
    const { key: stored } = namespace.set(bytes(key), bytes(value), timestamp);
    namespace.log.write();
    return stored;
}

export function drop(namespace: Namespace, key: string, timestamp = 1): void {
    namespace.delete(bytes(key), timestamp);
    namespace.log.write();
}

/** The value; undefined when the key is absent; throws when it cannot be read. */
export function readValue(namespace: Namespace, key: string | Buffer): string | undefined {
    const record = namespace.find(typeof key === "string" ? bytes(key) : key, true);
    if (!record) return undefined;
    const target = Buffer.alloc(record.place.length);
    if (!namespace.readInto(record, target, 0)) throw new Error("unreadable");
    return target.toString("latin1");
}
