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
    /** Brings the state up to what is really there. */
    refresh(): Promise<Outcome>;
    /** Names of resources that an `up` would touch, with what it would do. Throws when it cannot be told. */
    plan(wanted: Wanted): Promise<Readonly<Record<string, string>>>;
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
