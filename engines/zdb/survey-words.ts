import { keyWords } from "./key-text.ts";
import { RECORD_KINDS } from "./record.ts";
import { segmentName } from "./segment-header.ts";
import type { Hole, LostRecord, Survey } from "./survey.ts";

/** So many of a kind are told in words; JSON has all. */
const MOST_LINES = 50;

/** What is damaged, and what is lost by it; a line each. */
export function damageLines(survey: Survey): string[] {
    const { damage, sidecarProblems, recovered, lost, holes, explained, uncertain, obstacles } = survey;
    const { mode } = survey.properties;
    const current = lost.filter(({ isSuperseded }) => !isSuperseded);
    return [
        ...few(damage, ({ segment, offset, expectedLsn, why }) => {
            return `damaged: ${segmentName(segment)} offset ${offset}${expectedLsn > 0 ? `, record ${expectedLsn}` : ""}: ${why}`;
        }),
        ...sidecarProblems.map(({ segment, why }) => `damaged: the sidecar of ${segmentName(segment)}: ${why}`),
        ...(recovered > 0 ? [`not lost: ${count(recovered, "record")} whose head is damaged; the sidecar has it`] : []),
        ...few(current, (record) => `lost: ${lostWords(record, mode)}`),
        ...superseded(lost.length - current.length),
        ...few(holes, holeWords),
        ...(explained > 0 ? [`of these, ${count(explained, "record")} had been superseded by later ones: nothing but history`] : []),
        ...(uncertain.length > 0 && current.length + holes.length + damage.length > 0
            ? [`not sure any more, because a change may be among what is lost: ${uncertain.join(", ")}`]
            : []),
        ...obstacles.map((obstacle) => `not understood: ${obstacle}`),
    ];
}

function lostWords({ kind, key, lsn, segment, offset, why }: LostRecord, mode: Survey["properties"]["mode"]): string {
    const place = `record ${lsn} at ${segmentName(segment)} offset ${offset}: ${why}`;
    if (kind === RECORD_KINDS.property) return `the property ${key.toString("latin1")}, ${place}`;
    if (kind === RECORD_KINDS.tombstone) return `that ${keyWords(key, mode)} was deleted, ${place}`;
    return kind === RECORD_KINDS.mark ? `a mark, ${place}` : `the value of ${keyWords(key, mode)}, ${place}`;
}

function holeWords({ fromLsn, toLsn, isExact }: Hole): string {
    const records = `${isExact ? "" : "up to "}${count(toLsn - fromLsn + 1, "record")}`;
    return `lost: ${records} (${fromLsn} to ${toLsn}) of which nothing else is known`;
}

const superseded = (number: number): string[] =>
    number > 0 ? [`lost: ${count(number, "older version")} of what has newer ones: nothing but history`] : [];

function few<T>(all: readonly T[], words: (one: T) => string): string[] {
    const lines = all.slice(0, MOST_LINES).map(words);
    return all.length > MOST_LINES ? [...lines, `... and ${all.length - MOST_LINES} more like it (--json tells all)`] : lines;
}

export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;
