import { randomBytes } from "node:crypto";
import { MIB } from "./measure.ts";

/** The block is a whole number of MiB. */
export const randomBlock = (mib: number): Buffer => randomBytes(mib * MIB);

export function textBlock(mib: number): Buffer {
    const line = (index: number) => `${index * 7919} the quick brown fox ${index % 977} jumps over ${(index * 104_729) % 1_000_003}\n`;
    return Buffer.alloc(mib * MIB, Array.from({ length: 40_000 }, (_, index) => line(index)).join(""));
}
