import * as path from "node:path";
import type { Disk } from "./disk.ts";
import { type ImportedNamespace, type ImportResult, importNamespace } from "./import-namespace.ts";
import { DEFAULT_NAMESPACE, isNamespaceName } from "./namespace-name.ts";
import { decodeDescriptor, idsOfIndexFile, type OriginalDescriptor, originalMode } from "./original-format.ts";
import { OriginalLog } from "./original-log.ts";
import type { Mode } from "./properties.ts";
import { readSealKey } from "./seal.ts";
import { segmentNumber } from "./segment-header.ts";
import { count } from "./survey-words.ts";
import { byteProgress, type Tool, type ToolArguments, type ToolWorld, toolArguments, UsageError } from "./tool.ts";
import { toolParts } from "./tool-parts.ts";

const EXIT_LOSSES = 1;
const DESCRIPTOR_FILE = "zdb-namespace";
const MOST_DESCRIPTOR_BYTES = 1024;

const HELP = `NAME
    zeroform-agent zdb import - take over the namespaces of a Zero-DB 2.x server

SYNOPSIS
    zeroform-agent zdb import <data directory> [<index directory>] --data <directory> [--index <directory>]
        [--namespace <name> [--as <name>]] [--mode user|seq] [--seal-key-file <file>] [--json]

DESCRIPTION
    Reads what the original server has as --data and --index, and makes namespaces of ours below --data. The original
    must be stopped; its files are not changed. A server of ours must not run on --data; it finds the namespaces at its
    next start.

    Records are read from the data files and compared with their checksums (CRC-32C); the index files of the original
    have none and are asked for the mode, the descriptor (password, public, worm, maxsize) and the number of ids only.
    - user mode: all records in their order, so that SCAN has the same order, with versions and deletions.
    - seq mode: the versions of every live id, in the order of ids, which is the order of the original's SCAN. Ids that
      were deleted or burnt by updates stay so: the next new id is the one the original would have given.
    Times, modes and properties are kept. Locks, which the original forgets too, are not.

    A value that does not match its checksum is not imported, nor is an older one in its place: it is named. Where the
    head of a record is unreadable the next one that is proven to be one is looked for, and the place is named. Keys and
    times have no checksum in the original: a bit that changed in one of them cannot be noticed.

    A namespace is there whole or not at all. One that is there already is not touched: remove it, or give another --as.
    "default" is left out when it is empty.

OPTIONS
    --data <directory>        where a server of ours has its segments; it is made
    --index <directory>       accepted; the server writes what belongs there by itself
    --namespace <name>        only this one
    --as <name>               under this name
    --mode user|seq           where the index directory is not there to tell
    --seal-key-file <file>    the key of our server, to seal passwords with
    --json                    one JSON object on standard output instead of words

EXIT STATUS
    0  everything was imported
    1  imported, but for what is named
    2  wrong use, a server is running, a namespace is there already, the disk is full or fails

EXAMPLES
    zeroform-agent zdb import /old/data /old/index --data /srv/zdb/data
    zeroform-agent zdb import /old/data /old/index --data /srv/zdb/data --namespace default --as archive
`;

export const IMPORT: Tool = { help: HELP, run };

interface Source {
    readonly original: string;
    readonly directory: string;
    readonly index: string | undefined;
}

async function run(argv: readonly string[], world: ToolWorld): Promise<number> {
    const options = { data: true, index: true, namespace: true, as: true, mode: true, "seal-key-file": true, json: false };
    const given = toolArguments(argv, options);
    const [from, indexFrom, ...more] = given.words;
    const to = given.value("data");
    if (from === undefined || more.length > 0) throw new UsageError("give the data directory of the original, and its index directory");
    if (to === undefined) throw new UsageError("give --data, where the namespaces are to be");
    if (given.value("as") !== undefined && given.value("namespace") === undefined) throw new UsageError("--as needs --namespace");
    const root = path.resolve(to);
    if (root === path.resolve(from)) throw new UsageError("--data must be another directory than the original's");
    const sources = findSources(world.disk, path.resolve(from), indexFrom && path.resolve(indexFrom), given.value("namespace"));
    const unlocks = [from, ...(indexFrom === undefined ? [] : [indexFrom])].map((directory) => world.lockOriginal(path.resolve(directory)));
    try {
        world.disk.makeDirectory(root);
        unlocks.push(world.lockForWriting(root));
        return await importAll(world, root, sources, given);
    } finally {
        for (const unlock of unlocks) unlock();
    }
}

async function importAll(world: ToolWorld, root: string, sources: readonly Source[], given: ToolArguments): Promise<number> {
    const { disk } = world;
    const sealKeyFile = given.value("seal-key-file");
    const seal = sealKeyFile === undefined ? undefined : readSealKey(sealKeyFile);
    const parts = toolParts(disk, path.join(root, ".no-index"), (line) => world.say(line), seal);
    const logs: OriginalLog[] = [];
    try {
        // All is looked at before anything is made.
        const wanted = sources.flatMap((source) => {
            const log = new OriginalLog(disk, source.directory);
            logs.push(log);
            const prepared = prepare(disk, source, log, root, given);
            return prepared ? [{ source, prepared }] : [];
        });
        const results: (ImportResult & { name: string; mode: Mode })[] = [];
        for (const { source, prepared } of wanted) {
            const result = await importNamespace(parts, prepared, byteProgress(world, `${source.original}: read`));
            world.progress("");
            results.push({ name: prepared.name, mode: prepared.mode, ...result });
            if (!given.has("json")) world.out(words(source, prepared, result));
        }
        if (given.has("json")) world.out(`${JSON.stringify({ directory: root, namespaces: results })}\n`);
        return results.some(({ losses }) => losses.length > 0) ? EXIT_LOSSES : 0;
    } finally {
        for (const log of logs) log.close();
    }
}

function findSources(disk: Disk, data: string, index: string | undefined, only: string | undefined): Source[] {
    const names = disk.list(data).filter((name) => holdsData(disk, path.join(data, name)));
    const wanted = names.filter((name) => only === undefined || name === only).sort();
    if (wanted.length === 0)
        throw new UsageError(only === undefined ? `${data} holds no namespace` : `there is no namespace ${only} in ${data}`);
    return wanted.map((name) => {
        const place = index === undefined ? undefined : path.join(index, name);
        return { original: name, directory: path.join(data, name), index: place !== undefined && disk.exists(place) ? place : undefined };
    });
}

function holdsData(disk: Disk, directory: string): boolean {
    try {
        return disk.list(directory).some((name) => segmentNumber(name) !== undefined);
    } catch {
        return false;
    }
}

/** undefined for an empty `default`, which every server has. Throws a UsageError for what cannot be imported. */
function prepare(disk: Disk, source: Source, log: OriginalLog, root: string, given: ToolArguments): ImportedNamespace | undefined {
    const { original, index } = source;
    const name = given.value("as") ?? original;
    if (original === DEFAULT_NAMESPACE && given.value("namespace") === undefined && isEmpty(log)) return undefined;
    if (!isNamespaceName(name) && name !== DEFAULT_NAMESPACE) {
        throw new UsageError(`a namespace cannot be called ${JSON.stringify(name)}: give --namespace with that name and --as with another`);
    }
    if (disk.exists(path.join(root, name))) throw new UsageError(`namespace ${name} is there already in ${root}: remove it, or give --as`);
    const files = index === undefined ? [] : disk.list(index).filter((each) => /^i\d+$/.test(each));
    return {
        log,
        name,
        root,
        mode: modeOf(disk, source, given),
        descriptor: index === undefined ? undefined : descriptorOf(disk, path.join(index, DESCRIPTOR_FILE)),
        indexIds: files.reduce((sum, file) => sum + idsOfIndexFile(sizeOf(disk, path.join(index ?? "", file))), 0),
    };
}

function isEmpty(log: OriginalLog): boolean {
    return log.numbers.present.every((number) => log.records(number).next().done === true);
}

function modeOf(disk: Disk, { index, original }: Source, given: ToolArguments): Mode {
    const asked = given.value("mode");
    if (asked !== undefined && asked !== "user" && asked !== "seq") throw new UsageError(`--mode is user or seq, not ${asked}`);
    const told = index === undefined || !disk.exists(path.join(index, "i0")) ? undefined : originalMode(head(disk, path.join(index, "i0")));
    if (told !== undefined && asked !== undefined && told !== asked) throw new UsageError(`namespace ${original} is of mode ${told}`);
    const mode = told ?? asked;
    if (mode === undefined) throw new UsageError(`nothing tells the mode of namespace ${original}: give its index directory, or --mode`);
    return mode;
}

function descriptorOf(disk: Disk, file: string): OriginalDescriptor {
    const descriptor = disk.exists(file) ? decodeDescriptor(head(disk, file)) : undefined;
    // Without it a namespace that was private would be open.
    if (!descriptor)
        throw new UsageError(`${file} is missing or damaged, it has the password: put it back, or leave the index directory out`);
    return descriptor;
}

function head(disk: Disk, file: string): Buffer {
    const bytes = Buffer.alloc(MOST_DESCRIPTOR_BYTES);
    const fd = disk.openForRead(file);
    try {
        return bytes.subarray(0, disk.read(fd, bytes, 0, bytes.length, 0));
    } finally {
        disk.close(fd);
    }
}

function sizeOf(disk: Disk, file: string): number {
    const fd = disk.openForRead(file);
    try {
        return disk.size(fd);
    } finally {
        disk.close(fd);
    }
}

function words({ original }: Source, { name, mode, descriptor }: ImportedNamespace, result: ImportResult): string {
    const { entries, values, deletions, nextId, losses } = result;
    const properties = [
        `mode ${mode}`,
        ...(mode === "seq" ? [`next id ${nextId}`] : []),
        descriptor === undefined ? "public, without password, since no index directory tells otherwise" : accessWord(descriptor),
        ...(descriptor && descriptor.password !== "" ? ["password"] : []),
        ...(descriptor?.isWorm ? ["worm"] : []),
        ...(descriptor && descriptor.maxsize > 0 ? [`maxsize ${descriptor.maxsize}`] : []),
    ];
    const title = original === name ? name : `${original} as ${name}`;
    const lines = [`${count(entries, "key")}, ${count(values, "value")} and ${count(deletions, "deletion")}; ${properties.join(", ")}`];
    const lost = losses.map((loss) => `NOT imported: ${loss}`);
    return `namespace ${title}: imported\n${[...lines, ...lost].map((line) => `  ${line}\n`).join("")}`;
}

const accessWord = ({ isPublic }: OriginalDescriptor): string => (isPublic ? "public" : "private");
