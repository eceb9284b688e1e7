import type { Wanted } from "./wanted.ts";

/** How a run of a program ended; `said`: what its user was told. */
export interface Outcome {
    readonly ok: boolean;
    readonly said: string;
}

/** Somebody who runs a program with a state of his own. */
export interface Operator extends AsyncDisposable {
    /** Makes the machine what the program says. */
    up(wanted: Wanted): Promise<Outcome>;
    /** What an `up` would still do, and what a refresh finds other than the state says: by name, in words. Empty when all is as it should be. */
    changes(wanted: Wanted): Promise<Readonly<Record<string, string>>>;
    /** Takes everything away that the state has. */
    destroy(): Promise<Outcome>;
    /** Pulumi ids of everything in the state but the Node. */
    ids(): Promise<readonly string[]>;
    /** Where clients reach each Zdb, by name. */
    urls(): Promise<Readonly<Record<string, string>>>;
}

/** What cannot be undone by repeating it is a failure with the words that the user got. */
export const must = async (outcome: Promise<Outcome>): Promise<Outcome> => {
    const { ok, said } = await outcome;
    if (!ok) throw new Error(said);
    return { ok, said };
};
