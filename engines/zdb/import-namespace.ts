import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { setImmediate } from "node:timers/promises";
import { moveDirectory } from "./disk.ts";
import { keyWords } from "./key-text.ts";
import type { Namespace } from "./namespace.ts";
import { beginNamespace } from "./namespace-opening.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import type { OriginalDescriptor } from "./original-format.ts";
import { OriginalIds } from "./original-ids.ts";
import type { OriginalLog, OriginalRecord } from "./original-log.ts";
import type { Mode, PropertyChange } from "./properties.ts";
import { idOfKey } from "./sequential-ids.ts";

const RECORDS_BETWEEN_TURNS = 256;
/** An id above this is one that no namespace of the original can have given out; it would only make the table of ids large. */
const MOST_ID = 2 ** 31 - 2;

/** One namespace of the original, and where it is to be. */
export interface ImportedNamespace {
    readonly log: OriginalLog;
    readonly mode: Mode;
    readonly descriptor: OriginalDescriptor | undefined;
    /** Ids that its index has given out, in sequential mode. */
    readonly indexIds: number;
    readonly name: string;
    /** Data directory of ours. */
    readonly root: string;
}

export interface ImportResult {
    readonly entries: number;
    readonly values: number;
    readonly deletions: number;
    readonly nextId: number;
    /** What could not be imported, a line each. */
    readonly losses: readonly string[];
}

/** Makes a namespace of ours from one of the original: whole, or not at all. Throws what the disk throws. */
export async function importNamespace(
    parts: NamespaceParts,
    source: ImportedNamespace,
    progress: (bytes: number) => void,
): Promise<ImportResult> {
    const { disk } = parts;
    const unborn = path.join(source.root, `.new-${randomBytes(8).toString("hex")}`);
    disk.makeDirectory(unborn);
    try {
        const namespace = beginNamespace(parts, source.name, unborn);
        let importing: Importing;
        try {
            await namespace.setProperty({ name: "mode", text: source.mode });
            importing = new Importing(namespace, source, progress);
            await (source.mode === "user" ? importing.userRecords() : importing.sequentialRecords());
            for (const change of changesOf(source.descriptor)) await namespace.setProperty(change);
        } finally {
            await namespace.log.close();
        }
        moveDirectory(disk, unborn, path.join(source.root, source.name));
        return importing.result();
    } catch (error) {
        await disk.removeTree(unborn);
        throw error;
    }
}

class Importing {
    private readonly namespace: Namespace;
    private readonly source: ImportedNamespace;
    private readonly progress: (bytes: number) => void;
    private values = 0;
    private deletions = 0;
    private taken = 0;
    private steps = 0;
    private readonly losses: string[] = [];
    /** Keys whose newest value is spoilt, and where that was. */
    private readonly spoilt = new Map<string, string>();

    constructor(namespace: Namespace, source: ImportedNamespace, progress: (bytes: number) => void) {
        this.namespace = namespace;
        this.source = source;
        this.progress = progress;
        const { missing } = source.log.numbers;
        for (const number of missing) this.losses.push(`d${number} is missing: older values of its keys, or none, are imported`);
    }

    /** All records in the order they were written, so that order, versions and deletions are what they were. */
    async userRecords(): Promise<void> {
        for await (const record of this.all()) {
            switch (record.kind) {
                case "value":
                    this.write(record.key, record.payload, record.timestamp);
                    break;
                case "deletion":
                    if (this.namespace.find(record.key)) this.namespace.delete(record.key, record.timestamp);
                    this.deletions++;
                    break;
                case "spoilt":
                    // An older value must not pass for this one.
                    if (!record.isTruncated && this.namespace.find(record.key)) this.namespace.delete(record.key, 0);
                    break;
                case "unreadable":
                    break;
            }
        }
    }

    /** The versions of each id that is live, in the order of ids, which is that of the original's SCAN. */
    async sequentialRecords(): Promise<void> {
        const ids = new OriginalIds();
        for await (const record of this.all()) {
            if (record.kind === "unreadable") continue;
            const id = idOfKey(record.key) ?? Number.POSITIVE_INFINITY;
            if (id > MOST_ID) this.losses.push(`${placeWords(record)}: the key is no id`);
            else if (record.kind === "value") ids.wrote(id, record.place);
            else if (record.kind === "deletion" || !record.isTruncated) ids.gone(id);
            if (record.kind === "deletion") this.deletions++;
        }
        for (let id = 0; id < ids.end; id++) {
            for (const { file, offset } of ids.versionsOf(id)) {
                const record = this.source.log.recordAt(file, offset);
                if (record.kind === "value") this.write(record.key, record.payload, record.timestamp);
            }
            await this.rest();
        }
        const next = Math.max(this.taken, this.source.indexIds, ids.end);
        if (next === this.namespace.nextId()) return;
        this.namespace.raiseNextId(next);
        // The header of a segment keeps it.
        this.namespace.nextSegment();
    }

    result(): ImportResult {
        const lost = [...this.spoilt].map(([key, place]) => {
            return `the value of ${keyWords(Buffer.from(key, "latin1"), this.source.mode)} at ${place} does not match its checksum`;
        });
        const { entries } = this.namespace;
        return {
            entries,
            values: this.values,
            deletions: this.deletions,
            nextId: this.namespace.nextId(),
            losses: [...this.losses, ...lost],
        };
    }

    private async *all(): AsyncGenerator<OriginalRecord> {
        const { log } = this.source;
        for (const number of log.numbers.present) {
            let told = 0;
            for (const record of log.records(number)) {
                this.note(record);
                yield record;
                await this.rest();
                if (record.place.offset - told < 1024 * 1024) continue;
                this.progress(record.place.offset - told);
                told = record.place.offset;
            }
        }
    }

    private note(record: OriginalRecord): void {
        if (record.kind === "unreadable") {
            this.losses.push(`${placeWords(record)}: ${record.bytes} bytes are left out: ${record.why}`);
            return;
        }
        const key = record.key.toString("latin1");
        if (record.kind !== "deletion") this.taken++;
        if (record.kind === "spoilt" && !record.isTruncated) this.spoilt.set(key, placeWords(record));
        else if (record.kind !== "spoilt") this.spoilt.delete(key);
    }

    private write(key: Buffer, payload: Buffer, timestamp: number): void {
        this.namespace.write({ key, payload, timestamp }, this.namespace.find(key));
        this.values++;
    }

    private async rest(): Promise<void> {
        this.steps++;
        if (this.steps % RECORDS_BETWEEN_TURNS === 0) await setImmediate();
    }
}

function changesOf(descriptor: OriginalDescriptor | undefined): PropertyChange[] {
    if (!descriptor) return [];
    const { password, maxsize, isPublic, isWorm } = descriptor;
    return [
        ...(password === "" ? [] : [{ name: "password", text: password } as const]),
        ...(isPublic ? [] : [{ name: "public", text: "0" } as const]),
        ...(maxsize === 0 ? [] : [{ name: "maxsize", text: String(maxsize) } as const]),
        ...(isWorm ? [{ name: "worm", text: "1" } as const] : []),
    ];
}

const placeWords = ({ place: { file, offset } }: OriginalRecord): string => `d${file} offset ${offset}`;
