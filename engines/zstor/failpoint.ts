/** The places between two steps of the engine, where a test ends the process. */
export const FAILPOINTS = [
    "stripe: stored, not named",
    "put: drafts named",
    "put: stored, not named",
    "put: named, not acknowledged",
    "remove: named, not acknowledged",
    "repair: written, not named",
    "repair: named, old ones not deleted",
    "repair: an old one deleted",
    "repack: stored, not named",
    "repack: named, old ones not freed",
    "free: deleted, not said",
    "free: said",
    "forget: said",
    "replica: one has it",
    "journal: sealed, nowhere",
    "journal: on a quorum, not verified",
    "journal: verified, not in the view",
    "journal: in the view, not acknowledged",
    "takeover: claimed, nothing read",
    "takeover: adopted, no batch yet",
    "snapshot: a page written",
    "snapshot: pages written, not named",
    "snapshot: named",
    "rotation: record written, not named",
    "rotation: record named",
    "rotation: keys wrapped anew",
    "exchange: filled, not marked",
    "exchange: filled, not in force",
    "exchange: both sets in force",
    "exchange: new set whole, not alone",
    "exchange: new set alone",
    "exchange: taken out, not emptied",
    "sweep: an orphan found, none deleted",
    "sweep: an orphan deleted",
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

let armed: { readonly at: Failpoint; left: number; readonly act: () => void } | undefined;

/** For tests alone, which call it in a program of theirs (`test/zstor/killed.ts`): nothing outside of the program can. */
export function arm(at: Failpoint, times: number, act: () => void): void {
    armed = { at, left: times, act };
}

export function reached(point: Failpoint): void {
    if (armed?.at === point && --armed.left === 0) armed.act();
}
