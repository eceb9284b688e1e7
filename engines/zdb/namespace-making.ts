import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { type Disk, moveDirectory } from "./disk.ts";
import type { Namespace } from "./namespace.ts";
import { beginNamespace } from "./namespace-opening.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import { NEW_PREFIX, type Removals } from "./namespace-removal.ts";
import type { PropertyChange } from "./properties.ts";

/** A directory beside the namespaces that the next start removes. */
export const unbornDirectory = (root: string): string => path.join(root, `${NEW_PREFIX}${randomBytes(8).toString("hex")}`);

/** Makes a new namespace, durably: complete under another name first, so that no crash leaves half of one. Throws what the disk throws. */
export async function makeNamespace(
    parts: NamespaceParts,
    place: string,
    properties: readonly PropertyChange[],
    removals: Removals,
): Promise<Namespace> {
    const { disk } = parts;
    const unborn = unbornDirectory(path.dirname(place));
    disk.makeDirectory(unborn);
    let namespace: Namespace | undefined;
    try {
        namespace = beginNamespace(parts, path.basename(place), unborn);
        await namespace.setProperties(properties);
        namespace.moveTo(place);
        moveDirectory(disk, unborn, place);
        return namespace;
    } catch (error) {
        await namespace?.log.abandon();
        // What had its name for a moment is left to the next start: it must not come back in parts.
        if (!takeBack(disk, place, unborn)) removals.later(unborn);
        throw error;
    }
}

/** Takes the name away from a new namespace that did not get it durably; false when it never had it. */
function takeBack(disk: Disk, place: string, unborn: string): boolean {
    try {
        if (disk.exists(unborn) || !disk.exists(place)) return false;
        disk.rename(place, unborn);
    } catch {
        // The next start finds it, empty.
    }
    return true;
}
