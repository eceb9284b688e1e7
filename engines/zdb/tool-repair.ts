import * as path from "node:path";
import { applyRepair, originals, type PlannedRepair, planNamespaceRepair } from "./repair-namespace.ts";
import { planJson, planLines } from "./repair-words.ts";
import { findStore, type StoredNamespace } from "./store-directory.ts";
import { surveyJson } from "./survey-json.ts";
import { damageLines } from "./survey-words.ts";
import { byteProgress, type Tool, type ToolArguments, type ToolWorld, toolArguments, UsageError } from "./tool.ts";

const EXIT_DAMAGED = 1;

const HELP = `NAME
    zeroform-agent zdb repair - repair the files of a stopped Zero-DB server

SYNOPSIS
    zeroform-agent zdb repair <data directory> [--index <directory>] [--namespace <name>] [--json] [--apply]
    zeroform-agent zdb repair <data directory> [--namespace <name>] --remove-originals

DESCRIPTION
    Says what is damaged, what of it can be had back, and what is lost: keys, numbers of records (LSN), properties.
    Without --apply that is all: nothing is changed. With --apply the namespace is readable and writable afterwards.

    <data directory> is what the server has as --data, or the directory of a single namespace. Give --index: a sidecar
    knows head and key of every record of its segment, so that with it a damaged head is no loss at all, and the key of
    a damaged value is known.

    How it repairs:
    - A damaged segment is written anew from all that can be read of it, as a segment of the next generation, in which
      numbers may be missing. It stands for missing segments beside it too. The original stays in the directory as
      d<N>.damaged-<generation>: it has the bytes that could not be understood. A segment that is only missing is
      better put back first: after the repair the file would be taken for a left-over.
    - A damaged header is corrected when it differs in one bit, else told by the sidecar, else made up from the first two
      records of the segment. Only where none of these helps the file counts as unreadable and is put aside.
    - A key whose newest value is lost is deleted, so that an older value does not come back as if it were the last.
      Where not even the key is known, older values do come back: the output says how many records that may concern.
    - When a change of a property may be lost, the namespace fails shut: its password counts as unknown, so that nobody
      but administrators comes in until NSSET <namespace> password sets one; its certificate counts as unknown until
      NSSET ... tls sets or clears it; and it is private until NSSET ... public 1. Other properties stay as they were
      read last, and are named. The namespace "default" has none of these.
    - Damaged and missing sidecars are written anew, a damaged checkpoint is removed, an unfinished write at the end is
      cut: nothing is lost by these.
    Files are written beside, synced and renamed, what guards the namespace first: a repair that is interrupted is begun
    again and comes to the same end. It needs room for a copy of the largest damaged segment.

    Files of a later format are left alone.

OPTIONS
    --apply                do it
    --index <directory>    what the server has as --index
    --namespace <name>     only this one
    --remove-originals     remove the damaged originals that repairs left behind; nothing else is done
    --json                 one JSON object on standard output instead of words: what was found as check tells it, and
                           for each namespace "repair", what is or would be done, and "sound", whether it is now

EXIT STATUS
    0  everything is sound, or is now
    1  something is damaged: it was not asked to repair it, or it could not
    2  wrong use, a server is running, the disk is full or fails

EXAMPLES
    zeroform-agent zdb repair /srv/zdb/data --index /srv/zdb/index
    zeroform-agent zdb repair /srv/zdb/data --index /srv/zdb/index --namespace events --apply
    zeroform-agent zdb repair /srv/zdb/data --remove-originals
`;

export const REPAIR: Tool = { help: HELP, run };

async function run(argv: readonly string[], world: ToolWorld): Promise<number> {
    const given = toolArguments(argv, { index: true, namespace: true, json: false, apply: false, "remove-originals": false });
    const [data, ...more] = given.words;
    if (data === undefined || more.length > 0) throw new UsageError("give one data directory");
    if (given.has("apply") && given.has("remove-originals")) throw new UsageError("--apply and --remove-originals are two steps");
    const { root, namespaces } = findStore(world.disk, data, given.value("index"), given.value("namespace"));
    const changes = given.has("apply") || given.has("remove-originals");
    const unlock = changes ? world.lockForWriting(root) : world.lockForReading(root);
    try {
        if (given.has("remove-originals")) return removeOriginals(world, namespaces);
        return await repairAll(world, root, namespaces, given);
    } finally {
        unlock();
    }
}

async function repairAll(world: ToolWorld, root: string, namespaces: readonly StoredNamespace[], given: ToolArguments): Promise<number> {
    const results: Record<string, unknown>[] = [];
    let isAllSound = true;
    for (const stored of namespaces) {
        const planned = await planNamespaceRepair(world.disk, stored, byteProgress(world, `${stored.name}: checked`));
        world.progress("");
        if (!given.has("json")) world.out(words(planned, given.has("apply")));
        const isSound = await repairOne(world, planned, given.has("apply"));
        if (!given.has("json") && given.has("apply") && !planned.isIdle) world.out(`  ${isSound ? "repaired" : "NOT repaired"}\n`);
        isAllSound &&= isSound;
        const repair = planned.plan ? planJson(planned.plan) : null;
        results.push({ name: stored.name, directory: stored.directory, ...surveyJson(planned.checked.survey), repair, sound: isSound });
    }
    if (given.has("json")) world.out(`${JSON.stringify({ directory: root, sound: isAllSound, namespaces: results })}\n`);
    else if (!isAllSound && !given.has("apply")) world.out("Nothing was changed: --apply does it.\n");
    return isAllSound ? 0 : EXIT_DAMAGED;
}

/** Whether the namespace is sound now. */
async function repairOne(world: ToolWorld, planned: PlannedRepair, isAsked: boolean): Promise<boolean> {
    const { checked, plan } = planned;
    if (!plan || !isAsked || planned.isIdle) return checked.isSound;
    const after = await applyRepair(world.disk, planned, plan, (line) => world.say(line));
    for (const line of damageLines(after.survey)) world.say(`namespace ${checked.stored.name} after the repair: ${line}`);
    return after.isSound;
}

function words({ checked, plan, isIdle }: PlannedRepair, isApplied: boolean): string {
    const { name } = checked.stored;
    if (isIdle) return `namespace ${name}: sound, nothing to repair\n`;
    const lines = damageLines(checked.survey);
    const steps = plan ? planLines(name, plan) : ["nothing can be done: use the version that wrote it"];
    const title = checked.isSound ? "sound" : "DAMAGED";
    const intro = isApplied ? "repair:" : "a repair would:";
    return [
        `namespace ${name}: ${title}`,
        ...lines.map((line) => `  ${line}`),
        `  ${intro}`,
        ...steps.map((line) => `    ${line}`),
        "",
    ].join("\n");
}

function removeOriginals(world: ToolWorld, namespaces: readonly StoredNamespace[]): number {
    for (const stored of namespaces) {
        for (const name of originals(world.disk, stored)) {
            world.disk.remove(path.join(stored.directory, name));
            world.out(`removed ${path.join(stored.directory, name)}\n`);
        }
        world.disk.syncDirectory(stored.directory);
    }
    return 0;
}
