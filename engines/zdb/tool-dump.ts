import * as path from "node:path";
import { dumpedRecords } from "./dump-namespace.ts";
import { readNamespace } from "./namespace-opening.ts";
import { DamagedBlock } from "./record-blocks.ts";
import { findStore, type StoredNamespace } from "./store-directory.ts";
import { byteProgress, type Tool, type ToolWorld, toolArguments, UsageError } from "./tool.ts";
import { toolParts } from "./tool-parts.ts";

const EXIT_DAMAGED = 1;
const FLUSH_CHARACTERS = 64 * 1024;

const HELP = `NAME
    zeroform-agent zdb dump - write the records of a stopped Zero-DB server as JSON lines

SYNOPSIS
    zeroform-agent zdb dump <data directory> [<namespace>] [--index <directory>] [--history]

DESCRIPTION
    Writes one JSON object a line for each key, in the order of the last writes (the order of SCAN), of one namespace or
    of all. Nothing is changed. <data directory> is what the server has as --data, or the directory of one namespace,
    such as a snapshot. Memory is taken for the index of one namespace (about 26 bytes a key) and for one value.

OPTIONS
    --history              older versions and deletions too, as long as the log has them, in the order they were written
    --index <directory>    what the server has as --index: spares reading the log to find out what is live

OUTPUT
    {"namespace": "events", "mode": "user", "lsn": 7, "ts": 1764529999, "key": "k", "keyEncoding": "utf8",
     "value": "AP8=", "valueEncoding": "base64"}
    "key" and "value" are text where the bytes are UTF-8, else base64: the encodings say which. Keys of mode seq are 8
    bytes, the id with its lowest byte first. "ts" is in Unix seconds, "lsn" the number of the record in its namespace.
    With --history each line has "live" and "deleted"; a deletion has no value. A damaged value is null, and said on
    standard error. Passwords and other properties are not written.

EXIT STATUS
    0  everything was written
    1  something is damaged, and left out or null: see zeroform-agent zdb check
    2  wrong use, a server is running, the output cannot be written

EXAMPLES
    zeroform-agent zdb dump /srv/zdb/data events | jq -r .key
    zeroform-agent zdb dump /backup/events-monday --history | gzip > events.jsonl.gz
`;

export const DUMP: Tool = { help: HELP, run };

async function run(argv: readonly string[], world: ToolWorld): Promise<number> {
    const given = toolArguments(argv, { index: true, history: false });
    const [data, only, ...more] = given.words;
    if (data === undefined || more.length > 0) throw new UsageError("give a data directory, and perhaps a namespace");
    const { root, namespaces } = findStore(world.disk, data, given.value("index"), only);
    const unlock = world.lockForReading(root);
    try {
        let isWhole = true;
        for (const stored of namespaces) isWhole = (await dump(world, stored, given.has("history"))) && isWhole;
        return isWhole ? 0 : EXIT_DAMAGED;
    } finally {
        unlock();
    }
}

/** Whether all of it could be written. */
async function dump(world: ToolWorld, { name, directory, indexDirectory, power }: StoredNamespace, withHistory: boolean): Promise<boolean> {
    const parts = { ...toolParts(world.disk, path.dirname(indexDirectory ?? path.join(directory, "no-index")), () => undefined), power };
    const { namespace, failure } = await readNamespace(parts, name, directory);
    const progress = byteProgress(world, `${name}: written`);
    let isWhole = failure === undefined;
    if (failure !== undefined) world.say(`namespace ${name}: ${failure}`);
    let pending = "";
    const flush = (): void => {
        if (pending === "") return;
        world.out(pending);
        progress(pending.length);
        pending = "";
    };
    try {
        for (const { line, problem } of dumpedRecords(namespace, { withHistory })) {
            pending += `${JSON.stringify(line)}\n`;
            if (pending.length > FLUSH_CHARACTERS) flush();
            if (problem === undefined) continue;
            isWhole = false;
            world.say(`namespace ${name}: ${problem}`);
        }
    } catch (error) {
        if (!(error instanceof DamagedBlock)) throw error;
        isWhole = false;
        world.say(`namespace ${name}: ${error.message}`);
    } finally {
        namespace.segments.close();
        namespace.sidecars.closeAll();
    }
    flush();
    world.progress("");
    return isWhole;
}
