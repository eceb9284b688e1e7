import type { DiskReader } from "./disk.ts";
import { RECORD_HEAD_BYTES } from "./record.ts";
import { RecordCursor } from "./record-blocks.ts";
import { type Damage, type ScannedRecord, SegmentScanner } from "./segment-scanner.ts";
import type { SidecarBlocks } from "./sidecar.ts";
import type { StoredSegment } from "./stored-segment.ts";

/** A record of a segment, told by the segment itself or, where its head cannot be read there, by the sidecar. */
export interface SalvagedRecord extends ScannedRecord {
    readonly isListedOnly: boolean;
}

/** All that segment and sidecar together know of the records of a segment, in order. Payloads are not looked at. */
export class Salvage {
    private readonly scanner: SegmentScanner;
    private readonly salt: number;
    private readonly sidecar: SidecarBlocks | undefined;
    /** What is wrong with the sidecar. */
    sidecarProblem: string | undefined;

    /** Records behind `end` are not looked at. */
    constructor(disk: DiskReader, { fd, header }: StoredSegment, end: number, sidecar: SidecarBlocks | undefined) {
        this.sidecar = sidecar;
        this.salt = header.salt;
        this.scanner = new SegmentScanner(disk, fd, end, header);
    }

    /** Frames of the segment that are none, up to the record given last. */
    get damage(): readonly Damage[] {
        return this.scanner.damage;
    }

    /** End of the last record that the segment itself tells. */
    get scannedEnd(): number {
        return this.scanner.validEnd;
    }

    /** A sidecar tells of every record. */
    get isWhole(): boolean {
        return this.sidecar !== undefined && this.sidecarProblem === undefined;
    }

    *records(): Generator<SalvagedRecord> {
        const { sidecar } = this;
        const listed = (sidecar ? listedRecords(sidecar, this.salt, (problem) => this.noteProblem(problem)) : [])[Symbol.iterator]();
        let scanned = this.scanner.next();
        let entry = listed.next();
        while (scanned || !entry.done) {
            if (scanned && (entry.done || scanned.head.lsn <= entry.value.head.lsn)) {
                if (!entry.done && scanned.head.lsn === entry.value.head.lsn) {
                    if (!isSame(scanned, entry.value)) this.noteProblem(`record ${scanned.head.lsn} is another in it`);
                    entry = listed.next();
                } else if (sidecar) this.noteProblem(`record ${scanned.head.lsn} is not in it`);
                yield { ...scanned, isListedOnly: false };
                scanned = this.scanner.next();
            } else if (!entry.done) {
                yield { ...entry.value, isListedOnly: true };
                entry = listed.next();
            }
        }
    }

    private noteProblem(problem: string): void {
        this.sidecarProblem ??= problem;
    }
}

/** The records of a sidecar, without the blocks of it that are damaged. */
export function* listedRecords(
    blocks: SidecarBlocks,
    salt: number,
    found: (problem: string) => void = () => undefined,
): Generator<ScannedRecord> {
    for (let place = 0; place < blocks.count; place++) {
        let block: Buffer;
        try {
            block = blocks.read(place);
        } catch (error) {
            if (!(error instanceof Error)) throw error;
            found(error.message);
            continue;
        }
        for (const cursor = new RecordCursor(block); !cursor.isAtEnd; cursor.step()) {
            const head = cursor.head(salt);
            const { key, offset } = cursor;
            if (head) yield { head, key, offset, payloadOffset: offset + RECORD_HEAD_BYTES + head.keyLength };
            else found("an entry is damaged");
        }
    }
}

function isSame(a: ScannedRecord, b: ScannedRecord): boolean {
    const [one, other] = [a.head, b.head];
    const isSameHead =
        one.kind === other.kind &&
        one.encoding === other.encoding &&
        one.payloadLength === other.payloadLength &&
        one.payloadChecksum === other.payloadChecksum;
    return isSameHead && a.offset === b.offset && a.key.equals(b.key);
}
