import type { LostHistory } from "./lost-history.ts";
import { isPropertyName, newProperties, PROPERTY_NAMES, type Properties, type PropertyName } from "./properties.ts";
import { PropertyLog } from "./property-log.ts";
import { RECORD_KINDS } from "./record.ts";
import type { ScannedRecord } from "./segment-scanner.ts";
import { idOfKey } from "./sequential-ids.ts";

/** What the properties of a namespace are, as far as its log tells, and of which of them that is not sure. */
export class SurveyedProperties {
    readonly properties: Properties = newProperties("user");
    /** What this version does not understand: a later one wrote it. */
    readonly obstacles: string[] = [];
    private readonly log = new PropertyLog(undefined);
    private readonly lastLsns = new Map<PropertyName, number>();
    private firstValueLsn: number | undefined;
    private freshValues = 0;
    private freshIds = 0;

    /** A value; with its key and the next id when it was written, if it is new and that is known. */
    sawValue(lsn: number, fresh: { readonly key: Buffer; readonly id: number } | undefined): void {
        this.firstValueLsn ??= lsn;
        if (!fresh) return;
        this.freshValues++;
        if (idOfKey(fresh.key) === fresh.id) this.freshIds++;
    }

    /** Every new value has the id that was next: in user mode that would be a strange chance. */
    get looksSequential(): boolean {
        return this.freshValues > 0 && this.freshIds === this.freshValues;
    }

    /** A property whose text is sound; sealed ones are known by their presence only. */
    saw({ head, key }: Pick<ScannedRecord, "head" | "key">, payload: Buffer): void {
        const name = key.toString("latin1");
        if (isPropertyName(name)) this.lastLsns.set(name, head.lsn);
        const { problem } = this.log.replay(name, head.encoding, head.lsn, payload, this.properties);
        if (problem !== undefined) this.obstacles.push(`${problem}: a later version wrote it`);
    }

    /** Properties that a lost record may have changed after what was read of them. */
    uncertain({ lost, unexplained }: Pick<LostHistory, "lost" | "unexplained">): PropertyName[] {
        return PROPERTY_NAMES.filter((name) => {
            const isLost = lost.some(({ kind, key, isSuperseded }) => {
                return kind === RECORD_KINDS.property && !isSuperseded && key.toString("latin1") === name;
            });
            if (isLost) return true;
            if (!unexplained) return false;
            const last = this.lastLsns.get(name);
            // The mode is set before the first value or never, and once.
            if (name === "mode") return last === undefined && unexplained.lowest < (this.firstValueLsn ?? Number.POSITIVE_INFINITY);
            return (last ?? 0) < unexplained.highest;
        });
    }
}
