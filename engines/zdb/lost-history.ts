import { RECORD_KINDS, type RecordHead } from "./record.ts";
import type { Hole, LostRecord } from "./survey.ts";

/**
 * What is lost of a log that is read in order: records whose keys are known, and holes of which only the numbers are. Later records tell
 * more about both: that a lost value was superseded, and that a record in a hole was a value.
 */
export class LostHistory {
    readonly lost: LostRecord[] = [];
    readonly holes: Hole[] = [];
    /** Numbers in holes that were values which a later record supersedes. */
    private readonly explained = new Set<number>();
    /** The newest record of each key that is lost, while nothing later of that key was seen. */
    private readonly newest = new Map<string, LostRecord>();

    get explainedCount(): number {
        return this.explained.size;
    }

    /** A record whose head and key are known and whose payload is not. */
    lose(record: LostRecord, head: RecordHead): void {
        this.saw(head, record.key);
        this.lost.push(record);
        this.newest.set(nameOf(record.kind, record.key), record);
    }

    /** Nothing is known of the records with these numbers. */
    miss(fromLsn: number, toLsn: number, isExact: boolean): void {
        if (toLsn >= fromLsn) this.holes.push({ fromLsn, toLsn, isExact });
    }

    /** A record that is there. */
    saw({ kind, previousLsn }: Pick<RecordHead, "kind" | "previousLsn">, key: Buffer): void {
        if (this.newest.size > 0) this.supersede(kind, key);
        if (previousLsn === 0 || this.holes.length === 0 || !isOfValue(kind)) return;
        if (this.holes.some(({ fromLsn, toLsn }) => previousLsn >= fromLsn && previousLsn <= toLsn)) this.explained.add(previousLsn);
    }

    /** The lowest and the highest number of a record that may have been anything; undefined when there is none. */
    get unexplained(): { readonly lowest: number; readonly highest: number } | undefined {
        let lowest: number | undefined;
        for (const { fromLsn, toLsn } of this.holes) {
            for (let lsn = fromLsn; lsn <= toLsn && lowest === undefined; lsn++) if (!this.explained.has(lsn)) lowest = lsn;
        }
        if (lowest === undefined) return undefined;
        for (const { fromLsn, toLsn } of [...this.holes].reverse()) {
            for (let lsn = toLsn; lsn >= fromLsn; lsn--) if (!this.explained.has(lsn)) return { lowest, highest: lsn };
        }
        return { lowest, highest: lowest };
    }

    /** Of the record that may have set the mode. */
    get lostModeLsn(): number | undefined {
        const named = this.lost.find(({ kind, key }) => kind === RECORD_KINDS.property && key.toString("latin1") === "mode");
        return named?.lsn ?? this.unexplained?.lowest;
    }

    private supersede(kind: number, key: Buffer): void {
        const name = nameOf(kind, key);
        const before = this.newest.get(name);
        if (!before) return;
        before.isSuperseded = true;
        this.newest.delete(name);
    }
}

const isOfValue = (kind: number): boolean => kind === RECORD_KINDS.value || kind === RECORD_KINDS.tombstone;

/** Keys of values and names of properties have nothing to do with each other. */
const nameOf = (kind: number, key: Buffer): string => `${isOfValue(kind) ? "key" : `kind ${kind}`} ${key.toString("latin1")}`;
