import type { Disk } from "./disk.ts";
import type { DiskSpace } from "./disk-space.ts";
import type { Durability } from "./durability.ts";
import type { Namespace } from "./namespace.ts";
import type { OpenFiles } from "./open-files.ts";
import type { Power } from "./power.ts";
import type { Seal } from "./seal.ts";
import type { Timers } from "./syncer.ts";
import type { Upkeep } from "./upkeep.ts";

/** What every namespace of a server shares. */
export interface NamespaceParts {
    readonly disk: Disk;
    readonly timers: Timers;
    /** undefined: what was written before is taken to be there, synced or not. */
    readonly power?: Power | undefined;
    /** Holds a directory for each namespace, with files that can be rebuilt from its log. */
    readonly indexDirectory: string;
    readonly space: DiskSpace;
    readonly files: OpenFiles;
    /** Durability of namespaces that set none. */
    readonly durability: Durability;
    readonly seal: Seal | undefined;
    /** Overrides the size derived from the quota; tests use tiny segments. */
    readonly segmentBytes: number | undefined;
    /** Overrides from how much unread log on a checkpoint is worth while; tests use tiny logs. */
    readonly checkpointBytes: number | undefined;
    /** Rewrites and lists segments in the background; undefined: nobody does. */
    readonly upkeep: Upkeep | undefined;
    /** One line for the operator, without keys, values or passwords. */
    log(line: string): void;
    /** Replies that waited for a namespace may be sent. */
    acknowledged(): void;
    /** A namespace appends to another segment. */
    segmentBegun(namespace: Namespace, before: number, now: number): void;
    /** A segment file of a namespace is not there; whether it is now. */
    missing(namespace: Namespace, file: string): Promise<boolean>;
    /** A namespace was opened anew: its clients belong to the new one. */
    renewed(before: Namespace, now: Namespace): void;
    /** A namespace that could not be opened before is there now: its listeners are wanted. */
    arrived(): void;
}
