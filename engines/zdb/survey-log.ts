import type { DiskReader } from "./disk.ts";
import { type FoundSegment, type FoundSegments, findSegments } from "./found-segments.ts";
import { endOfPromised, endOfSoundPayloads } from "./log-tail.ts";
import { LostHistory } from "./lost-history.ts";
import { PayloadCheck } from "./payload-check.ts";
import type { Power } from "./power.ts";
import { RECORD_HEAD_BYTES, RECORD_KINDS } from "./record.ts";
import { listedRecords, Salvage, type SalvagedRecord } from "./record-salvage.ts";
import { type SegmentHeader, segmentName } from "./segment-header.ts";
import type { Damage, ScannedRecord } from "./segment-scanner.ts";
import { StoredSidecars } from "./stored-sidecars.ts";
import type { Survey, SurveyedSegment } from "./survey.ts";
import { SurveyedProperties } from "./surveyed-properties.ts";

const PROGRESS_STEP_BYTES = 4 * 1024 * 1024;
/** Where a file without a header is all that is left of a log, anything may have been in it. */
const ANYTHING = { lowest: 0, highest: Number.POSITIVE_INFINITY };

export interface SurveyParts {
    readonly disk: DiskReader;
    /** Of the namespace. */
    readonly directory: string;
    /** Of its sidecars; undefined when they are not to be looked at. */
    readonly indexDirectory: string | undefined;
    readonly power: Power;
    /** So many bytes more were read. */
    progress(bytes: number): void;
}

/** Reads every byte of the log of a stopped namespace, and of its sidecars, and changes nothing. Throws what the disk throws. */
export function surveyLog(parts: SurveyParts): Survey {
    const sidecars = new StoredSidecars(parts.disk, parts.indexDirectory);
    let found: FoundSegments | undefined;
    try {
        found = findSegments(parts.disk, parts.directory, sidecars);
        return new LogSurvey(parts, found, sidecars).run();
    } finally {
        for (const { fd } of found?.segments ?? []) parts.disk.close(fd);
        sidecars.close();
    }
}

class LogSurvey {
    private readonly parts: SurveyParts;
    private readonly found: FoundSegments;
    private readonly sidecars: StoredSidecars;
    private readonly history = new LostHistory();
    private readonly properties = new SurveyedProperties();
    private readonly damage: Damage[] = [];
    private readonly sidecarProblems: Damage[] = [];
    private readonly segments: SurveyedSegment[] = [];
    private expectedLsn = 1;
    private nextId = 0;
    private records = 0;
    private recovered = 0;
    private tornBytes = 0;

    constructor(parts: SurveyParts, found: FoundSegments, sidecars: StoredSidecars) {
        this.parts = parts;
        this.found = found;
        this.sidecars = sidecars;
    }

    run(): Survey {
        const { segments, unreadable, leftovers } = this.found;
        for (const { number, why } of unreadable) this.damaged(number, 0, 0, why);
        for (const place of segments.keys()) this.readSegment(place);
        this.readUnreadableEnd();
        if (segments.length === 0 && unreadable.length === 0) this.damaged(0, 0, 1, "its log has no segment");
        const { history, properties } = this;
        const isAnything = unreadable.length > 0 || segments.length === 0;
        const uncertain = properties.uncertain({ lost: history.lost, unexplained: isAnything ? ANYTHING : history.unexplained });
        const later = unreadable.filter(({ isOfLaterVersion }) => isOfLaterVersion);
        return {
            segments: this.segments,
            unreadable,
            leftovers,
            tornBytes: this.tornBytes,
            records: this.records,
            bytes: segments.reduce((sum, { end }) => sum + end, 0),
            epoch: segments[0]?.header.epoch ?? 0,
            lastLsn: this.expectedLsn - 1,
            nextId: this.nextId,
            damage: this.damage,
            sidecarProblems: this.sidecarProblems,
            recovered: this.recovered,
            lost: history.lost,
            holes: history.holes,
            explained: history.explainedCount,
            properties: properties.properties,
            uncertain,
            lostModeLsn: uncertain.includes("mode") && properties.looksSequential ? history.lostModeLsn : undefined,
            obstacles: [...properties.obstacles, ...later.map(({ number, why }) => `${segmentName(number)}: ${why}`)],
        };
    }

    /** Files behind the last segment that nothing can be read of. */
    private readUnreadableEnd(): void {
        const lastNumber = Math.max(-1, ...this.found.segments.map(({ header }) => header.number));
        const behind = this.found.unreadable.filter(({ number }) => number > lastNumber);
        if (behind.length === 0) return;
        for (const { bytes } of behind) this.endsWith(bytes);
        const last = this.segments.pop();
        if (last) this.segments.push({ ...last, isDamaged: true, lastLsn: this.expectedLsn - 1 });
    }

    private readSegment(place: number): void {
        const segment = this.found.segments[place];
        if (!segment) return;
        const { header } = segment;
        const following = this.found.segments[place + 1]?.header;
        const hadDamage = this.damageCount;
        const gapLsn = this.expectedLsn;
        const isGap = header.firstLsn > gapLsn;
        if (isGap) this.missing(gapLsn, header.firstLsn - 1, header.number);
        const afterGap = this.damageCount;
        if (!segment.hasHeader) this.damaged(header.number, 0, header.firstLsn, "segment header is damaged");
        this.nextId = Math.max(this.nextId, header.nextId);
        this.expectedLsn = header.firstLsn;

        const sidecar = following ? this.sidecars.find(header) : undefined;
        const endOf = this.parts.power.mayHaveBeenLost ? endOfPromised : endOfSoundPayloads;
        const end = following || this.damage.length > 0 ? segment.end : endOf(this.parts.disk, segment, undefined);
        const salvage = new Salvage(this.parts.disk, segment, end, sidecar?.blocks);
        const records = this.readRecords(segment, salvage);
        if (following) this.endClosed(segment, salvage, following);
        else this.endLast(segment, salvage);
        if (salvage.sidecarProblem !== undefined) {
            this.sidecarProblems.push({ segment: header.number, offset: 0, expectedLsn: 0, why: salvage.sidecarProblem });
        }
        // What is missing before the next segment is made up for by this one, what is missing before the first one by that.
        const isShort = following !== undefined && this.expectedLsn < following.firstLsn;
        const isFirst = place === 0;
        this.segments.push({
            header,
            bytes: segment.end,
            records,
            isDamaged: this.damageCount > (isFirst ? hadDamage : afterGap) || isShort,
            firstLsn: isFirst ? 1 : header.firstLsn,
            lastLsn: following ? following.firstLsn - 1 : this.expectedLsn - 1,
            sidecar: this.sidecarState(following !== undefined, sidecar !== undefined, salvage),
        });
    }

    private readRecords({ header, fd, hasHeader }: FoundSegment, salvage: Salvage): number {
        const { number, generation } = header;
        const hadDamage = this.damageCount;
        const payloads = new PayloadCheck(this.parts.disk, fd);
        let records = 0;
        let seenDamage = 0;
        let reported = 0;
        let id = header.nextId;
        for (const record of salvage.records()) {
            const { lsn, kind, previousLsn } = record.head;
            const isHole = generation === 0 || (salvage.damage.length > seenDamage && !salvage.isWhole);
            if (isHole) this.hole(this.expectedLsn, lsn - 1, generation === 0);
            for (const { offset, expectedLsn, why } of salvage.damage.slice(seenDamage)) this.damaged(number, offset, expectedLsn, why);
            seenDamage = salvage.damage.length;
            this.expectedLsn = lsn + 1;
            records++;
            if (kind === RECORD_KINDS.value) {
                this.nextId++;
                // What the id was is only known where every value before is.
                const isIdKnown = generation === 0 && hasHeader && this.damageCount === hadDamage;
                this.properties.sawValue(lsn, isIdKnown && previousLsn === 0 ? { key: record.key, id } : undefined);
                id++;
            }
            this.readRecord(record, header, fd, payloads);
            if (record.offset - reported < PROGRESS_STEP_BYTES) continue;
            this.parts.progress(record.offset - reported);
            reported = record.offset;
        }
        this.parts.progress(Math.max(0, salvage.scannedEnd - reported));
        this.records += records;
        return records;
    }

    private readRecord(record: SalvagedRecord, header: SegmentHeader, fd: number, payloads: PayloadCheck): void {
        const { head, key, isListedOnly, payloadOffset } = record;
        const problem = payloads.problem(record);
        if (problem !== undefined) {
            this.lose(record, header.number, isListedOnly ? `its head is damaged and ${problem}` : problem);
            return;
        }
        if (isListedOnly) this.recovered++;
        this.history.saw(head, key);
        if (head.kind !== RECORD_KINDS.property) return;
        const payload = Buffer.alloc(head.payloadLength);
        this.parts.disk.read(fd, payload, 0, payload.length, payloadOffset);
        this.properties.saw(record, payload);
    }

    /** What follows the last record of a segment that others follow. */
    private endClosed({ header, end }: FoundSegment, salvage: Salvage, following: SegmentHeader): void {
        const { number, generation, lastLsn } = header;
        const isCut = salvage.scannedEnd < end;
        if (isCut) this.damaged(number, salvage.scannedEnd, this.expectedLsn, "the end of a closed segment is unreadable");
        const toLsn = generation === 0 ? following.firstLsn - 1 : lastLsn;
        if (isCut && !salvage.isWhole) {
            this.hole(this.expectedLsn, toLsn, generation === 0);
            this.expectedLsn = Math.max(this.expectedLsn, toLsn + 1);
        }
        // A rewritten segment stands for more than the records in it.
        if (generation > 0) this.expectedLsn = Math.max(this.expectedLsn, lastLsn + 1);
    }

    private endLast({ header, end }: FoundSegment, { scannedEnd }: Salvage): void {
        this.expectedLsn = Math.max(this.expectedLsn, header.lastLsn + 1);
        if (scannedEnd >= end) return;
        if (this.damage.length === 0) {
            this.tornBytes = end - scannedEnd;
            return;
        }
        this.damaged(header.number, scannedEnd, this.expectedLsn, "the end of the log is unreadable");
        this.endsWith(end - scannedEnd);
    }

    /** So many bytes at the end of the log are unreadable: nothing that they may have said is said again by somebody else. */
    private endsWith(bytes: number): void {
        const most = Math.floor(bytes / RECORD_HEAD_BYTES);
        this.hole(this.expectedLsn, this.expectedLsn - 1 + most, false);
        this.expectedLsn += most;
    }

    /** Whole segments are missing; sidecars they left behind tell what was in them. */
    private missing(fromLsn: number, toLsn: number, before: number): void {
        this.damaged(before, 0, fromLsn, "the records before this segment are missing");
        let next = fromLsn;
        for (const { header, blocks } of this.sidecars.orphans(fromLsn, toLsn, this.found.segments)) {
            if (header.firstLsn < next) continue;
            this.hole(next, header.firstLsn - 1, true);
            for (const record of listedRecords(blocks, header.salt)) {
                if (record.head.kind === RECORD_KINDS.value) this.nextId++;
                this.lose(record, header.number, `segment ${segmentName(header.number)} is missing`);
            }
            next = header.lastLsn + 1;
        }
        this.hole(next, toLsn, true);
    }

    private lose({ head, key, offset }: ScannedRecord, segment: number, why: string): void {
        const { lsn, kind, timestamp } = head;
        this.history.lose({ lsn, kind, key: Buffer.from(key), timestamp, segment, offset, why, isSuperseded: false }, head);
    }

    /** Each of the records that nobody knows may have taken an id. */
    private hole(fromLsn: number, toLsn: number, isExact: boolean): void {
        this.history.miss(fromLsn, toLsn, isExact);
        this.nextId += Math.max(0, toLsn - fromLsn + 1);
    }

    private damaged(segment: number, offset: number, expectedLsn: number, why: string): void {
        this.damage.push({ segment, offset, expectedLsn, why });
    }

    private get damageCount(): number {
        return this.damage.length + this.history.lost.length;
    }

    private sidecarState(isClosed: boolean, isThere: boolean, { sidecarProblem }: Salvage): SurveyedSegment["sidecar"] {
        if (!isClosed || this.parts.indexDirectory === undefined) return "none";
        if (!isThere) return "missing";
        return sidecarProblem === undefined ? "sound" : "damaged";
    }
}
