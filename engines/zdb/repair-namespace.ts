import * as path from "node:path";
import type { CheckedNamespace } from "./check-namespace.ts";
import { checkNamespace } from "./check-namespace.ts";
import type { Disk } from "./disk.ts";
import { MAX_SEGMENT_BYTES } from "./limits.ts";
import { openNamespace } from "./namespace-opening.ts";
import { isAside, repairLog } from "./repair-log.ts";
import { isIdle, planRepair, type RepairPlan } from "./repair-plan.ts";
import { buildSidecar } from "./sidecar-building.ts";
import { Slices } from "./slices.ts";
import type { StoredNamespace } from "./store-directory.ts";
import { toolParts } from "./tool-parts.ts";

export interface PlannedRepair {
    readonly checked: CheckedNamespace;
    /** undefined when nothing can be done. */
    readonly plan: RepairPlan | undefined;
    readonly isIdle: boolean;
}

/** What is wrong with the files of a stopped namespace, and what can be done about it. Changes nothing. */
export async function planNamespaceRepair(disk: Disk, stored: StoredNamespace, progress: (bytes: number) => void): Promise<PlannedRepair> {
    const checked = await checkNamespace(disk, stored, progress);
    if (checked.survey.obstacles.length > 0) return { checked, plan: undefined, isIdle: false };
    const plan = planRepair(stored.name, checked.survey, checked.checkpoint.state === "damaged");
    return { checked, plan, isIdle: isIdle(plan) };
}

/** Does it, opens the namespace as a server does, lists what is not listed, and closes it. What was wrong then still is is in the result. */
export async function applyRepair(
    disk: Disk,
    { checked: { stored, survey } }: PlannedRepair,
    plan: RepairPlan,
    say: (line: string) => void,
): Promise<CheckedNamespace> {
    const { name, directory, indexDirectory, power } = stored;
    const segmentBytes = survey.segments.at(-1)?.header.limitBytes ?? MAX_SEGMENT_BYTES;
    repairLog({ disk, stored, survey, plan, segmentBytes });
    const parts = { ...toolParts(disk, path.dirname(indexDirectory ?? path.join(directory, "no-index")), say), power };
    const namespace = await openNamespace(parts, name, directory);
    try {
        const { segments, sidecars } = namespace;
        const unlisted = indexDirectory === undefined ? [] : segments.closed.filter(({ marks }) => marks !== undefined);
        for (const segment of unlisted) await buildSidecar(disk, segments, sidecars, segment, new Slices());
    } finally {
        await namespace.log.close();
    }
    return checkNamespace(disk, stored, () => undefined);
}

/** The originals of what was repaired, and how many bytes they take. */
export function originals(disk: Disk, { directory }: StoredNamespace): string[] {
    return disk.list(directory).filter(isAside).sort();
}
