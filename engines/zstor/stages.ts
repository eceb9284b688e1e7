import type { Figures } from "./figures.ts";

/** What the stages of a store's work are; those in one line follow each other, or go on beside each other for several stripes. */
export type Stage =
    | ("compress" | "encrypt" | "wait" | "encode" | "authenticate" | "write" | "journal")
    | ("cache" | "fetch" | "verify" | "reconstruct" | "decrypt" | "decompress");

/** For whom it is done. */
export type Purpose = "put" | "get" | "repair" | "repack" | "rebalance";

/** Takes the time of stages. */
export interface Stages {
    run<T>(stage: Stage, bytes: number, work: () => T): T;
    wait<T>(stage: Stage, bytes: number, work: () => Promise<T>): Promise<T>;
}

export const UNTIMED: Stages = {
    run: (_stage, _bytes, work) => work(),
    wait: (_stage, _bytes, work) => work(),
};

/** Their figures have the name `<purpose> <stage>`. */
export function stagesIn(figures: Figures, purpose: Purpose): Stages {
    return {
        run: (stage, bytes, work) => figures.run(`${purpose} ${stage}`, bytes, work),
        wait: (stage, bytes, work) => figures.time(`${purpose} ${stage}`, () => bytes, work),
    };
}
