import type { LifeRow } from "../store/lives.ts";
import type { Values } from "../store/rows.ts";
import { describeChange, describeSpec } from "./changes.ts";
import type { Machinery } from "./machinery.ts";

/** What an event calls the end of each kind of work. */
const EVENT: Readonly<Record<LifeRow["work"], string>> = {
    make: "made",
    change: "changed",
    heal: "healed",
    restore: "restored",
    none: "healed",
};

/** Whether something is to be done before it is as desired. */
export const hasWork = (row: LifeRow): boolean =>
    row.desired === "removed" || row.restore !== undefined || (row.desired === "present" && row.work !== "none");

/** What an event says beside that. */
const wordsOn = (row: LifeRow, before: Values | undefined): string => {
    if (row.work === "heal") return row.reasons.join("; ");
    if (row.work === "make") return describeSpec(row.kind, row.spec);
    return row.work === "change" && before !== undefined ? describeChange(row.kind, before, row.spec) : "";
};

/** Writes down that it is as desired, where it was otherwise `before`; answers whether that is news. */
export const markReady = ({ store, clock, tell }: Machinery, row: LifeRow, before: Values | undefined): boolean => {
    if (row.state === "ready" && row.work === "none" && row.made) return false;
    const since = row.state === "ready" ? row.since : clock.now();
    store.soon(() => {
        store.lives.change(row.life, { state: "ready", since, reasons: [], made: true, work: "none" });
        tell(EVENT[row.work], wordsOn(row, before), row);
    });
    return true;
};

/** Writes down why it is not as desired; answers whether that is news. What was to be done stays so. */
export const markUnfinished = ({ store, clock }: Machinery, life: LifeRow["life"], reasons: readonly string[]): boolean => {
    const row = store.lives.get(life);
    if (!row) return false;
    const state = row.desired === "removed" ? "removing" : "unfinished";
    const work = row.work === "none" ? "heal" : row.work;
    if (row.state === state && row.work === work && String(row.reasons) === String(reasons)) return false;
    store.lives.change(life, { state, reasons, work, since: row.state === state ? row.since : clock.now() });
    return true;
};
