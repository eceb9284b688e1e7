import { z } from "zod";
import { bytesOf, size } from "./quantity.ts";

/** An empty server takes 43 MiB; it is slowed down from four fifths of its limit on. */
const LEAST_MEMORY = "64MiB";
const LEAST_CORES = 0.1;
const MOST_CORES = 4_096;
const MOST_WEIGHT = 10_000;

const WRITE_CPU = "write cpu as a number of processor cores, such as 0.5 or 2";
const WRITE_WEIGHT = `write ioWeight as a whole number from 1 to ${MOST_WEIGHT}; what asks for nothing has 100`;

/** What the process that serves a resource may take of its machine. */
export const limits = z
    .strictObject(
        {
            /** Memory, its index and the page cache that it fills included. */
            memory: size()
                .refine((memory) => bytesOf(memory) >= bytesOf(LEAST_MEMORY), {
                    error: `memory is at least ${LEAST_MEMORY}: with less its server would not come up; write ${LEAST_MEMORY} or more`,
                })
                .optional(),
            /** Processor cores. */
            cpu: z
                .number({ error: WRITE_CPU })
                .min(LEAST_CORES, { error: `cpu is at least ${LEAST_CORES} of a core` })
                .max(MOST_CORES, { error: `cpu is at most ${MOST_CORES} cores` })
                .refine((cores) => Math.abs(cores * 100 - Math.round(cores * 100)) < 1e-6, {
                    error: "cpu is told in hundredths of a core at the finest, such as 0.25",
                })
                .optional(),
            /** Its share of a disk that several want, beside others' 100. */
            ioWeight: z.int({ error: WRITE_WEIGHT }).min(1, { error: WRITE_WEIGHT }).max(MOST_WEIGHT, { error: WRITE_WEIGHT }).optional(),
        },
        { error: 'write limits as { memory: "512MiB", cpu: 0.5, ioWeight: 50 }, with those of the three that you want' },
    )
    .optional();
export type Limits = NonNullable<z.output<typeof limits>>;
