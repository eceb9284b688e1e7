import { type CheckedNamespace, type CheckpointState, checkNamespace } from "./check-namespace.ts";
import { findStore } from "./store-directory.ts";
import { surveyJson } from "./survey-json.ts";
import { count, damageLines } from "./survey-words.ts";
import { byteProgress, type Tool, type ToolWorld, toolArguments, UsageError } from "./tool.ts";

const EXIT_DAMAGED = 1;

const HELP = `NAME
    zeroform-agent zdb check - verify the files of a stopped Zero-DB server

SYNOPSIS
    zeroform-agent zdb check <data directory> [--index <directory>] [--namespace <name>] [--json]

DESCRIPTION
    Reads every byte of every segment and compares heads, keys and values with their checksums, and the order of the
    records with their numbers. With --index the sidecars are compared with the segments, and the checkpoint with what
    the log says. Nothing is written, not even a lock file.

    <data directory> is what the server has as --data, or the directory of a single namespace: a snapshot, a namespace
    that was detached, one that was copied. The lock of the server is taken while the check runs; when a server has it,
    the check ends at once. To check what a running server has, let it make a snapshot: NSSNAPSHOT <namespace> <directory>.

    What the next start mends by itself is told and is no damage: an unfinished write at the end of the log, files of a
    rewriting that was interrupted, a sidecar that is missing, a checkpoint that belongs to an older state.

OPTIONS
    --index <directory>    what the server has as --index; without it sidecars and checkpoints are not looked at
    --namespace <name>     only this one
    --json                 one JSON object on standard output instead of words

OUTPUT
    A paragraph a namespace: its state, how much it holds, every place that is damaged, and what is lost by that: keys,
    numbers of records (LSN), properties. With --json:
        {"directory", "sound", "namespaces": [{"name", "directory", "sound", "mode", "entries", "liveBytes", "records",
        "bytes", "lastLsn", "segments", "tornBytes", "leftovers", "damage", "sidecarDamage", "recovered", "lost",
        "unknown", "unknownSuperseded", "uncertainProperties", "notUnderstood", "checkpoint"}]}
    "lost" are records whose key is known ("key", with "keyEncoding" utf8 or base64), "unknown" ranges of numbers of
    which nothing else is. "entries" and "liveBytes" are null while the log is damaged.
    Progress goes to standard error when that is a terminal.

EXIT STATUS
    0  everything is sound
    1  something is damaged: zeroform-agent zdb repair says what can be done
    2  wrong use, a server is running, or the files cannot be read at all

EXAMPLES
    zeroform-agent zdb check /srv/zdb/data --index /srv/zdb/index
    zeroform-agent zdb check /backup/events-monday --json
`;

export const CHECK: Tool = { help: HELP, run };

async function run(argv: readonly string[], world: ToolWorld): Promise<number> {
    const given = toolArguments(argv, { index: true, namespace: true, json: false });
    const [data, ...more] = given.words;
    if (data === undefined || more.length > 0) throw new UsageError("give one data directory");
    const { root, namespaces } = findStore(world.disk, data, given.value("index"), given.value("namespace"));
    const unlock = world.lockForReading(root);
    try {
        const checked: CheckedNamespace[] = [];
        for (const stored of namespaces) {
            const result = await checkNamespace(world.disk, stored, byteProgress(world, `${stored.name}: checked`));
            world.progress("");
            checked.push(result);
            if (!given.has("json")) world.out(words(result));
        }
        const isSound = checked.every((each) => each.isSound);
        if (given.has("json")) world.out(`${JSON.stringify({ directory: root, sound: isSound, namespaces: checked.map(json) })}\n`);
        return isSound ? 0 : EXIT_DAMAGED;
    } finally {
        unlock();
    }
}

function words(checked: CheckedNamespace): string {
    const { stored, survey, live, checkpoint } = checked;
    const { records, segments, bytes, properties, tornBytes, leftovers } = survey;
    const missing = segments.filter(({ sidecar }) => sidecar === "missing").length;
    const holds = live ? `${count(live.entries, "key")} with ${live.bytes} bytes, ` : "";
    const lines = [
        `${holds}mode ${properties.mode}; ${count(records, "record")} in ${count(segments.length, "segment")}, ${bytes} bytes`,
        ...damageLines(survey),
        ...checkpointLines(checkpoint),
        ...(tornBytes > 0 ? [`${tornBytes} bytes of an unfinished write at the end: the next start cuts them`] : []),
        ...(leftovers.length > 0 ? [`left over of an interrupted work, the next start removes it: ${leftovers.join(", ")}`] : []),
        ...(missing > 0 ? [`${count(missing, "sidecar")} missing: the server writes them anew`] : []),
    ];
    return `namespace ${stored.name}: ${checked.isSound ? "sound" : "DAMAGED"}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

function checkpointLines({ state, why }: CheckpointState): string[] {
    if (state === "damaged") return [`damaged: the checkpoint of the index: ${why}; the log has all that is in it`];
    return state === "unused" ? [`the checkpoint of the index is not used (${why}): the next start reads the log`] : [];
}

function json({ stored, survey, live, checkpoint, isSound }: CheckedNamespace): Record<string, unknown> {
    return {
        name: stored.name,
        directory: stored.directory,
        sound: isSound,
        entries: live?.entries ?? null,
        liveBytes: live?.bytes ?? null,
        ...surveyJson(survey),
        checkpoint,
    };
}
