import * as path from "node:path";
import { DiskSpace } from "./disk-space.ts";
import type { Hooks } from "./hooks.ts";
import type { Namespace } from "./namespace.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import { OpenFiles } from "./open-files.ts";
import type { ServerOptions } from "./options.ts";
import { readSealKey } from "./seal.ts";
import { segmentName } from "./segment-header.ts";
import type { ServerParts } from "./server.ts";
import { Upkeep } from "./upkeep.ts";

/** What the namespaces of a server are told and tell of it. */
type ServerEnds = Pick<NamespaceParts, "power" | "acknowledged" | "renewed" | "arrived"> & { readonly hooks: Hooks };

/** What all namespaces of a server with these options share. Throws a StartError when the key they are sealed with cannot be read. */
export function sharedParts(options: ServerOptions, { disk, timers, log }: ServerParts, ends: ServerEnds): NamespaceParts {
    const { data, index, durability, sealKeyFile, datasize, compacts } = options;
    const { power, hooks, acknowledged, renewed, arrived } = ends;
    const indexDirectory = path.resolve(index);
    return {
        disk,
        timers,
        power,
        indexDirectory,
        space: new DiskSpace(disk, data, () => timers.nowMs()),
        files: new OpenFiles(),
        durability,
        seal: sealKeyFile === undefined ? undefined : readSealKey(sealKeyFile),
        segmentBytes: datasize,
        checkpointBytes: undefined,
        upkeep: new Upkeep({ timers, log, compacts }),
        log,
        acknowledged,
        segmentBegun: ({ name, directory, properties }, before, now) =>
            hooks.jumped(properties, path.join(indexDirectory, name), directory, before, now),
        missing: ({ properties }, file) => hooks.bringsBack(properties, file),
        renewed,
        arrived,
    };
}

/** What the options say of `default`, for this run. */
export function applyOptions({ maxsize, protect, admin }: ServerOptions, { properties }: Namespace): void {
    if (maxsize > 0) properties.maxsize = maxsize;
    if (protect && admin !== undefined) properties.password = admin;
}

/** What a namespace is appended to, as the hook is told: its name, index file and data file. */
export function currentFiles(
    { index }: ServerOptions,
    { name, directory, log }: Namespace,
): readonly [name: string, index: string, data: string] {
    const number = log.activeSegment;
    return [name, path.join(path.resolve(index), name, `i${number}`), path.join(directory, segmentName(number))];
}
