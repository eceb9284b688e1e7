import * as path from "node:path";
import { type Disk, type DiskReader, errorCode } from "./disk.ts";
import { DEFAULT_NAMESPACE, isNamespaceName } from "./namespace-name.ts";
import { type Power, powerSince } from "./power.ts";
import { StartError } from "./refusal.ts";
import { segmentNumber } from "./segment-header.ts";

/** The files of one namespace that no server has open. */
export interface StoredNamespace {
    readonly name: string;
    readonly directory: string;
    /** Of its sidecars and its checkpoint; undefined when nobody said where they are. */
    readonly indexDirectory: string | undefined;
    /** Whether a start would allow for a power loss. */
    readonly power: Power;
}

/** What a tool was pointed at: the data directory of a server, or the directory of one namespace, such as a snapshot. */
export interface StoreDirectory {
    /** Where a server would have its lock. */
    readonly root: string;
    readonly namespaces: readonly StoredNamespace[];
}

/** Throws a StartError when there is none. */
export function findStore(disk: Disk, data: string, index: string | undefined, only?: string): StoreDirectory {
    const directory = path.resolve(data);
    const names = list(disk, directory);
    const indexOf = (name: string): string | undefined => (index === undefined ? undefined : path.join(path.resolve(index), name));
    if (names.some((name) => segmentNumber(name) !== undefined)) {
        const name = path.basename(directory);
        if (only !== undefined && only !== name) throw new StartError(`${directory} is the directory of one namespace, not of ${only}`);
        const root = path.dirname(directory);
        return { root, namespaces: [{ name, directory, indexDirectory: indexOf(name), power: powerSince(disk, root) }] };
    }
    const found = names.filter(
        (name) => (isNamespaceName(name) || name === DEFAULT_NAMESPACE) && isDirectory(disk, path.join(directory, name)),
    );
    const power = powerSince(disk, directory);
    const namespaces = found.sort().map((name) => {
        return { name, directory: path.join(directory, name), indexDirectory: indexOf(name), power };
    });
    if (namespaces.length === 0) throw new StartError(`${directory} holds no namespace: give the --data directory of a server`);
    if (only === undefined) return { root: directory, namespaces };
    const wanted = namespaces.filter(({ name }) => name === only);
    if (wanted.length === 0) throw new StartError(`there is no namespace ${only} in ${directory}`);
    return { root: directory, namespaces: wanted };
}

function list(disk: DiskReader, directory: string): string[] {
    try {
        return disk.list(directory);
    } catch (error) {
        throw new StartError(`cannot read the directory ${directory} (${errorCode(error)})`);
    }
}

function isDirectory(disk: DiskReader, directory: string): boolean {
    try {
        disk.list(directory);
        return true;
    } catch (error) {
        if (errorCode(error) === "ENOTDIR") return false;
        throw new StartError(`cannot read the directory ${directory} (${errorCode(error)})`);
    }
}
