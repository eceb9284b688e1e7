/** What all rows of one run share. */
export interface Bench {
    /** Where servers keep their files. */
    readonly directory: string;
    /** Program of Redis. */
    readonly redis: string;
    /** Runs of each server in a cell, of which the median counts. */
    readonly rounds: number;
    /** Of one run. */
    readonly seconds: number;
    /** Keys there are in the cells of throughput. */
    readonly keys: number;
    /** Keys there are where many are asked for. */
    readonly manyKeys: number;
}
