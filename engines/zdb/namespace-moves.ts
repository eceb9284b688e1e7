import * as path from "node:path";
import { type Disk, errorCode, moveDirectory } from "./disk.ts";
import { DEFAULT_NAMESPACE, isNamespaceName } from "./namespace-name.ts";
import { Refusal } from "./refusal.ts";
import { segmentNumber } from "./segment-header.ts";

/** A place to move a namespace to or from: not a relative one, nor that of a namespace of this server. */
export function checkPlace(root: string, directory: string): void {
    if (!path.isAbsolute(directory)) throw new Refusal(`Invalid argument, ${directory} is not an absolute path`);
    const [first = ""] = path.relative(root, directory).split(path.sep);
    if (first === "" || first === DEFAULT_NAMESPACE || isNamespaceName(first)) {
        throw new Refusal(`Invalid argument, ${directory} is the place of a namespace of this server`);
    }
}

/** Moves the directory of a namespace, durably. */
export function moveNamespace(disk: Disk, from: string, to: string): void {
    try {
        moveDirectory(disk, from, to);
    } catch (error) {
        const hint = errorCode(error) === "EXDEV" ? ", both must be on one file system" : "";
        throw new Refusal(`Cannot move ${from} to ${to} (${errorCode(error)}${hint})`);
    }
}

/** Whether the directory is one of a namespace. */
export function holdsLog(disk: Disk, directory: string): boolean {
    try {
        return disk.list(directory).some((name) => segmentNumber(name) !== undefined);
    } catch {
        return false;
    }
}
