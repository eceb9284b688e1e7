import * as path from "node:path";
import { StoredCheckpoint, UnusableCheckpoint } from "./checkpoint-reader.ts";
import type { Disk } from "./disk.ts";
import type { Namespace } from "./namespace.ts";
import { readNamespaceFromCheckpoint, readNamespaceFromLog } from "./namespace-opening.ts";
import { patientDisk } from "./patient-disk.ts";
import type { StoredNamespace } from "./store-directory.ts";
import { isSound, type Survey } from "./survey.ts";
import { surveyLog } from "./survey-log.ts";
import { toolParts } from "./tool-parts.ts";

export interface CheckedNamespace {
    readonly stored: StoredNamespace;
    readonly survey: Survey;
    /** Live keys and the bytes of their values, as a start would find them; undefined when the log is damaged. */
    readonly live: { readonly entries: number; readonly bytes: number } | undefined;
    readonly checkpoint: CheckpointState;
    readonly isSound: boolean;
}

/** What the checkpoint of the index is good for. */
export interface CheckpointState {
    readonly state: "none" | "sound" | "unused" | "damaged";
    readonly why?: string;
}

/** Verifies all files of a stopped namespace. Changes nothing. */
export async function checkNamespace(disk: Disk, stored: StoredNamespace, progress: (bytes: number) => void): Promise<CheckedNamespace> {
    const { directory, indexDirectory, power } = stored;
    const survey = surveyLog({ disk: patientDisk(disk), directory, indexDirectory, power, progress });
    if (!isSound(survey)) return { stored, survey, live: undefined, checkpoint: await fileState(disk, stored), isSound: false };
    const parts = { ...toolParts(disk, path.dirname(indexDirectory ?? path.join(directory, "no-index")), () => undefined), power };
    const namespace = await readNamespaceFromLog(parts, stored.name, directory);
    namespace.segments.close();
    const live = liveOf(namespace);
    const checkpoint = await checkpointState(disk, stored, live);
    return { stored, survey, live, checkpoint, isSound: checkpoint.state !== "damaged" };
}

const liveOf = ({ entries, liveBytes }: Namespace) => ({ entries, bytes: liveBytes });

async function checkpointState(disk: Disk, stored: StoredNamespace, live: { entries: number; bytes: number }): Promise<CheckpointState> {
    const { name, directory, indexDirectory } = stored;
    const file = await fileState(disk, stored);
    if (file.state !== "sound" || indexDirectory === undefined) return file;
    let why = "";
    const parts = toolParts(disk, path.dirname(indexDirectory), (line) => {
        why = line.slice(line.lastIndexOf(": ") + 2);
    });
    const namespace = await readNamespaceFromCheckpoint(parts, name, directory);
    if (!namespace) return { state: "unused", why };
    namespace.segments.close();
    namespace.sidecars.closeAll();
    const { entries, bytes } = liveOf(namespace);
    if (entries === live.entries && bytes === live.bytes) return file;
    return { state: "damaged", why: `it has ${entries} keys with ${bytes} bytes where the log has ${live.entries} with ${live.bytes}` };
}

/** Whether the file is what was written, whatever log it belongs to. */
async function fileState(disk: Disk, { indexDirectory }: StoredNamespace): Promise<CheckpointState> {
    if (indexDirectory === undefined) return { state: "none" };
    let checkpoint: StoredCheckpoint | undefined;
    try {
        checkpoint = StoredCheckpoint.open(disk, indexDirectory);
        await checkpoint?.readPages(() => undefined);
        return { state: checkpoint ? "sound" : "none" };
    } catch (error) {
        if (!(error instanceof UnusableCheckpoint)) throw error;
        return { state: "damaged", why: error.message };
    } finally {
        checkpoint?.close();
    }
}
