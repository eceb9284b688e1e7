import { encodeBytes } from "./key-text.ts";
import { RECORD_KINDS } from "./record.ts";
import { segmentName } from "./segment-header.ts";
import type { LostRecord, Survey } from "./survey.ts";

const KIND_NAMES: Readonly<Record<number, string>> = {
    [RECORD_KINDS.value]: "value",
    [RECORD_KINDS.tombstone]: "deletion",
    [RECORD_KINDS.property]: "property",
    [RECORD_KINDS.mark]: "mark",
};

/** What was found in the files of a namespace, for programs. */
export function surveyJson(survey: Survey): Record<string, unknown> {
    const { damage, sidecarProblems, holes, uncertain, obstacles, leftovers, tornBytes, recovered, lost, explained } = survey;
    return {
        mode: survey.properties.mode,
        records: survey.records,
        bytes: survey.bytes,
        lastLsn: survey.lastLsn,
        segments: survey.segments.map(({ header, bytes, records, isDamaged, sidecar }) => ({
            file: segmentName(header.number),
            generation: header.generation,
            bytes,
            records,
            damaged: isDamaged,
            sidecar,
        })),
        tornBytes,
        leftovers,
        damage: damage.map(({ segment, offset, expectedLsn, why }) => ({ file: segmentName(segment), offset, lsn: expectedLsn, why })),
        sidecarDamage: sidecarProblems.map(({ segment, why }) => ({ file: segmentName(segment), why })),
        recovered,
        lost: lost.map(lostJson),
        unknown: holes.map(({ fromLsn, toLsn, isExact }) => ({ fromLsn, toLsn, exact: isExact })),
        unknownSuperseded: explained,
        uncertainProperties: uncertain,
        notUnderstood: obstacles,
    };
}

function lostJson({ lsn, kind, key, segment, offset, timestamp, why, isSuperseded }: LostRecord): Record<string, unknown> {
    const { text, encoding } = encodeBytes(key);
    return {
        kind: KIND_NAMES[kind],
        key: text,
        keyEncoding: encoding,
        lsn,
        ts: timestamp,
        file: segmentName(segment),
        offset,
        superseded: isSuperseded,
        why,
    };
}
