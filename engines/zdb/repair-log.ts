import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { CHECKPOINT_NAME } from "./checkpoint.ts";
import type { Disk } from "./disk.ts";
import { type FoundSegment, findSegments } from "./found-segments.ts";
import { patientDisk } from "./patient-disk.ts";
import { PayloadCheck } from "./payload-check.ts";
import { ENCODINGS, type Encoding, headOf, RECORD_KINDS, type RecordKind, unixSeconds } from "./record.ts";
import { Salvage } from "./record-salvage.ts";
import type { RepairPlan } from "./repair-plan.ts";
import { newSegmentHeader } from "./segment-files.ts";
import { segmentName, segmentNumber } from "./segment-header.ts";
import type { ScannedRecord } from "./segment-scanner.ts";
import { SegmentWriter } from "./segment-writer.ts";
import { sidecarName } from "./sidecar.ts";
import type { StoredNamespace } from "./store-directory.ts";
import { StoredSidecars, sidecarNumbers } from "./stored-sidecars.ts";
import type { Survey, SurveyedSegment } from "./survey.ts";

const COPY_STEP_BYTES = 1024 * 1024;
const EMPTY = Buffer.alloc(0);

export interface RepairParts {
    readonly disk: Disk;
    readonly stored: StoredNamespace;
    readonly survey: Survey;
    readonly plan: RepairPlan;
    /** Size at which a new segment is closed. */
    readonly segmentBytes: number;
}

/**
 * Makes the log of a stopped namespace one that has no damage. After each step the files are whole: until the last one the log is still
 * damaged, and what guards it is written first, so that a stop in between leaves a namespace that is shut, and a repair that can be begun
 * anew. Throws what the disk throws.
 */
export function repairLog(parts: RepairParts): void {
    const { disk, stored, plan } = parts;
    cutTail(parts);
    if (plan.hasNewEnd) writeNewEnd(parts);
    for (const segment of plan.rewritten) rewrite(parts, segment);
    for (const { number } of plan.setAside) {
        const file = path.join(stored.directory, segmentName(number));
        disk.rename(file, asideName(disk, file, 0));
        disk.syncDirectory(stored.directory);
    }
    dropIndexFiles(parts);
}

/** Files in the directory of a namespace that a repair put aside. */
export const isAside = (name: string): boolean => {
    const [segment = "", rest = ""] = name.split(".damaged-");
    return segmentNumber(segment) !== undefined && /^\d+(-\d+)?$/.test(rest);
};

/** Where the damaged original goes: beside what takes its place, under a name that no server looks at. */
function asideName(disk: Disk, file: string, generation: number): string {
    const name = `${file}.damaged-${generation}`;
    if (!disk.exists(name)) return name;
    for (let again = 1; ; again++) if (!disk.exists(`${name}-${again}`)) return `${name}-${again}`;
}

/** The unfinished write at the end, exactly as a start cuts it: behind it a new segment could not stand. */
function cutTail({ disk, stored, survey, plan }: RepairParts): void {
    const last = survey.segments.at(-1);
    if (!last || plan.cutBytes === 0) return;
    const fd = disk.openForAppend(path.join(stored.directory, segmentName(last.header.number)));
    try {
        disk.truncate(fd, last.bytes - plan.cutBytes);
        disk.syncNow(fd);
    } finally {
        disk.close(fd);
    }
}

/** What has to be said anew, in a segment behind all others. */
function writeNewEnd({ disk, stored, survey, plan, segmentBytes }: RepairParts): void {
    const { directory } = stored;
    const numbers = disk.list(directory).flatMap((name) => segmentNumber(name) ?? []);
    const number = Math.max(-1, ...numbers) + 1;
    // Where no segment is left a new history begins.
    const [epoch, firstLsn] = survey.segments.length > 0 ? [survey.epoch, survey.lastLsn + 1] : [Date.now(), 1];
    const header = newSegmentHeader(epoch, number, firstLsn, survey.nextId, segmentBytes);
    const writer = new SegmentWriter(disk, directory, header);
    try {
        let lsn = header.firstLsn;
        const add = (kind: RecordKind, key: Buffer, payload: Buffer, previousLsn: number, encoding: Encoding = ENCODINGS.clear): void => {
            writer.add(headOf({ lsn, kind, key, payload, previousLsn, timestamp: unixSeconds(), encoding }), key, [payload]);
            lsn++;
        };
        for (const name of plan.forgotten) add(RECORD_KINDS.property, Buffer.from(name), EMPTY, 0, ENCODINGS.sealed);
        for (const { name, text } of plan.changes) add(RECORD_KINDS.property, Buffer.from(name), Buffer.from(text), 0);
        for (const { key, lsn: lostLsn } of plan.deleted) add(RECORD_KINDS.tombstone, key, EMPTY, lostLsn);
        writer.finish();
        writer.takePlace();
    } catch (error) {
        writer.abandon();
        throw error;
    }
}

function rewrite({ disk, stored, plan, segmentBytes }: RepairParts, { header, firstLsn, lastLsn }: SurveyedSegment): void {
    const { directory, indexDirectory } = stored;
    const sidecars = new StoredSidecars(disk, indexDirectory);
    const patient = patientDisk(disk);
    const { segments } = findSegments(patient, directory, sidecars);
    let writer: SegmentWriter | undefined;
    try {
        const segment = segments.find((each) => each.header.number === header.number);
        if (!segment) throw new Error(`segment ${segmentName(header.number)} is gone`);
        writer = new SegmentWriter(disk, directory, {
            ...segment.header,
            generation: segment.header.generation + 1,
            firstLsn,
            lastLsn,
            createdMs: Date.now(),
            salt: randomBytes(4).readUInt32LE(0),
            limitBytes: segmentBytes,
            cleanLsn: 0,
            keptBytes: 0,
            historyBytes: 0,
        });
        const salvage = new Salvage(patient, segment, segment.end, sidecars.find(segment.header)?.blocks);
        const { modeLsn } = plan;
        let modeIsDue = modeLsn !== undefined && modeLsn >= firstLsn && modeLsn <= lastLsn;
        const payloads = new PayloadCheck(patient, segment.fd);
        for (const record of salvage.records()) {
            if (modeIsDue && modeLsn !== undefined && record.head.lsn > modeLsn) {
                writeMode(writer, modeLsn);
                modeIsDue = false;
            }
            if (payloads.problem(record) === undefined) writer.add(record.head, record.key, payloadOf(disk, segment, record));
        }
        if (modeIsDue && modeLsn !== undefined) writeMode(writer, modeLsn);
        writer.finish();
        keepOriginal(disk, directory, segment);
        writer.takePlace();
    } catch (error) {
        writer?.abandon();
        throw error;
    } finally {
        for (const { fd } of segments) disk.close(fd);
        sidecars.close();
    }
}

function writeMode(writer: SegmentWriter, lsn: number): void {
    const [key, payload] = [Buffer.from("mode"), Buffer.from("seq")];
    writer.add(headOf({ lsn, kind: RECORD_KINDS.property, key, payload, previousLsn: 0, timestamp: unixSeconds() }), key, [payload]);
}

/** A second name for the damaged file, durable before it loses its first one. */
function keepOriginal(disk: Disk, directory: string, { header }: FoundSegment): void {
    const file = path.join(directory, segmentName(header.number));
    disk.link(file, asideName(disk, file, header.generation));
    disk.syncDirectory(directory);
}

function* payloadOf(disk: Disk, { fd }: FoundSegment, { head, payloadOffset }: ScannedRecord): Generator<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.min(COPY_STEP_BYTES, head.payloadLength));
    for (let done = 0; done < head.payloadLength; ) {
        const count = disk.read(fd, buffer, 0, Math.min(buffer.length, head.payloadLength - done), payloadOffset + done);
        if (count === 0) throw new Error(`record ${head.lsn} ended while it was copied`);
        yield buffer.subarray(0, count);
        done += count;
    }
}

/** What can be made anew from the log, and sidecars of segments that are not there any more. */
function dropIndexFiles({ disk, stored: { directory, indexDirectory }, plan }: RepairParts): void {
    if (indexDirectory === undefined || !disk.exists(indexDirectory)) return;
    const orphans = sidecarNumbers(disk, indexDirectory).filter((number) => !disk.exists(path.join(directory, segmentName(number))));
    for (const number of [...plan.droppedSidecars, ...orphans]) disk.remove(path.join(indexDirectory, sidecarName(number)));
    if (plan.dropsCheckpoint) disk.remove(path.join(indexDirectory, CHECKPOINT_NAME));
}
