import { DEFAULT_NAMESPACE } from "./namespace-name.ts";
import { type PropertyChange, type PropertyName, SECRET_PROPERTIES } from "./properties.ts";
import { RECORD_KINDS } from "./record.ts";
import type { LostRecord, Survey, SurveyedSegment, UnreadableSegment } from "./survey.ts";

/** What is going to be done about the damage of one namespace. */
export interface RepairPlan {
    /** Segments that are written anew from what can be read of them; they stand for what is missing too. */
    readonly rewritten: readonly SurveyedSegment[];
    /** Files that nothing can be read of. */
    readonly setAside: readonly UnreadableSegment[];
    /** Keys whose newest record is lost: they are deleted, so that no older value comes back as if it were theirs. */
    readonly deleted: readonly LostRecord[];
    /** Secrets that count as unknown until they are set, so that nobody comes in who could not before; and the namespace made private. */
    readonly forgotten: readonly PropertyName[];
    readonly changes: readonly PropertyChange[];
    /** The record that makes the mode sequential again; what is lost said so. */
    readonly modeLsn: number | undefined;
    /** A segment is begun behind the last one: for these, and because a segment that was rewritten is not appended to. */
    readonly hasNewEnd: boolean;
    /** Sidecars that say another thing than their segments, and a checkpoint that is damaged. */
    readonly droppedSidecars: readonly number[];
    readonly dropsCheckpoint: boolean;
    readonly builtSidecars: number;
    readonly cutBytes: number;
    readonly leftovers: readonly string[];
}

/** What can be done about what was found. Nothing can when the survey has obstacles. */
export function planRepair(name: string, survey: Survey, dropsCheckpoint: boolean): RepairPlan {
    const { segments, unreadable, lost, uncertain, lostModeLsn, sidecarProblems } = survey;
    const rewritten = segments.filter(({ isDamaged }) => isDamaged);
    const deleted = lost.filter(({ kind, isSuperseded }) => !isSuperseded && isOfValue(kind));
    const hasTerms = name !== DEFAULT_NAMESPACE;
    const forgotten = uncertain.filter((property) => hasTerms && SECRET_PROPERTIES.includes(property));
    const changes: PropertyChange[] = hasTerms && uncertain.includes("public") ? [{ name: "public", text: "0" }] : [];
    const isLastRewritten = segments.length === 0 || segments.at(-1)?.isDamaged === true;
    return {
        rewritten,
        setAside: unreadable,
        deleted,
        forgotten,
        changes,
        modeLsn: lostModeLsn,
        hasNewEnd: isLastRewritten || deleted.length + forgotten.length + changes.length > 0,
        droppedSidecars: sidecarProblems.map(({ segment }) => segment),
        dropsCheckpoint,
        builtSidecars: segments.filter(({ sidecar, isDamaged }, place) => {
            return place < segments.length - 1 && (sidecar === "missing" || sidecar === "damaged" || (sidecar === "sound" && isDamaged));
        }).length,
        cutBytes: survey.tornBytes,
        leftovers: survey.leftovers,
    };
}

/** Whether there is anything to be done. */
export function isIdle(plan: RepairPlan): boolean {
    const { rewritten, setAside, droppedSidecars, leftovers, builtSidecars } = plan;
    const files = rewritten.length + setAside.length + droppedSidecars.length + leftovers.length + builtSidecars;
    return files === 0 && !plan.hasNewEnd && !plan.dropsCheckpoint && plan.cutBytes === 0;
}

const isOfValue = (kind: number): boolean => kind === RECORD_KINDS.value || kind === RECORD_KINDS.tombstone;
