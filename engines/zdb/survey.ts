import type { Properties, PropertyName } from "./properties.ts";
import type { RecordKind } from "./record.ts";
import type { SegmentHeader } from "./segment-header.ts";
import type { Damage } from "./segment-scanner.ts";

/** A record that cannot be had any more, but whose head and key are known. */
export interface LostRecord {
    readonly lsn: number;
    readonly kind: RecordKind;
    readonly key: Buffer;
    readonly timestamp: number;
    /** Of the segment file, and where it was in it. */
    readonly segment: number;
    readonly offset: number;
    readonly why: string;
    /** A later record of the same key or name is there: nothing but a version of its history is lost. */
    isSuperseded: boolean;
}

/** Records of which nothing but their numbers is known. */
export interface Hole {
    readonly fromLsn: number;
    readonly toLsn: number;
    /** All of them were there; otherwise at most. */
    readonly isExact: boolean;
}

export interface SurveyedSegment {
    readonly header: SegmentHeader;
    readonly bytes: number;
    readonly records: number;
    /** Why it has to be written anew. */
    readonly isDamaged: boolean;
    /** LSNs it stands for; with those that are missing before the first and behind each. */
    readonly firstLsn: number;
    readonly lastLsn: number;
    readonly sidecar: "sound" | "missing" | "damaged" | "none";
}

/** A file named like a segment whose header cannot be read, and whose records nothing else tells. */
export interface UnreadableSegment {
    readonly number: number;
    readonly why: string;
    readonly isOfLaterVersion: boolean;
    readonly bytes: number;
}

/** All there is to know of the files of one stopped namespace. */
export interface Survey {
    readonly segments: readonly SurveyedSegment[];
    readonly unreadable: readonly UnreadableSegment[];
    /** Of an interrupted work; the next start removes them. */
    readonly leftovers: readonly string[];
    /** Of an unfinished write; the next start cuts them. */
    readonly tornBytes: number;
    readonly records: number;
    readonly bytes: number;
    readonly epoch: number;
    readonly lastLsn: number;
    /** Not below any sequential id that was ever given out. */
    readonly nextId: number;
    readonly damage: readonly Damage[];
    /** Sidecars that do not say what their segments say. */
    readonly sidecarProblems: readonly Damage[];
    /** Records that only a sidecar knows, and whose values are sound. */
    readonly recovered: number;
    readonly lost: readonly LostRecord[];
    readonly holes: readonly Hole[];
    /** Of the holes: records of which a later one proves that they were values that it superseded. */
    readonly explained: number;
    readonly properties: Properties;
    /** Properties whose last change may be among what is lost. */
    readonly uncertain: readonly PropertyName[];
    /** The namespace was of sequential mode, which its log does not say any more: the number of the record that may have said it. */
    readonly lostModeLsn: number | undefined;
    /** What this version cannot understand or repair. */
    readonly obstacles: readonly string[];
}

/** Nothing is wrong that the next start would not mend by itself. */
export const isSound = ({ damage, lost, unreadable, obstacles, sidecarProblems }: Survey): boolean =>
    damage.length + lost.length + unreadable.length + obstacles.length + sidecarProblems.length === 0;
