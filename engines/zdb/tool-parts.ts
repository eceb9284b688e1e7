import type { Disk } from "./disk.ts";
import { DiskSpace } from "./disk-space.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import { OpenFiles } from "./open-files.ts";
import type { Seal } from "./seal.ts";
import { systemTimers } from "./syncer.ts";

/** What a namespace stands on that no server has: nobody is answered, nothing is tidied up, no room is reserved. */
export function toolParts(disk: Disk, indexDirectory: string, log: (line: string) => void, seal?: Seal): NamespaceParts {
    return {
        disk,
        timers: systemTimers,
        indexDirectory,
        space: new DiskSpace(disk, indexDirectory, () => systemTimers.nowMs(), 0),
        files: new OpenFiles(),
        durability: { kind: "none" },
        seal,
        segmentBytes: undefined,
        checkpointBytes: undefined,
        upkeep: undefined,
        log,
        acknowledged: () => undefined,
        segmentBegun: () => undefined,
        renewed: () => undefined,
        missing: async () => false,
        arrived: () => undefined,
    };
}
