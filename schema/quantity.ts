import { z } from "zod";

const SIZE_UNITS = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;
const SIZE = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|TiB)$/;
const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Bytes of a size such as `"20GiB"`. */
export const bytesOf = (size: string | number): number => amount(size, SIZE, SIZE_UNITS);

/** Milliseconds of a duration such as `"30s"`. */
export const millisecondsOf = (duration: string | number): number => amount(duration, DURATION, DURATION_UNITS);

/** The one way to write a number of bytes: the largest unit that divides it. */
export const formatSize = (bytes: number): string => format(bytes, SIZE_UNITS);
export const formatDuration = (ms: number): string => (ms === 0 ? "0s" : format(ms, DURATION_UNITS));

const WRITE_SIZE = 'write a size as "20GiB" (B, KiB, MiB, GiB, TiB) or as a whole number of bytes';
const WRITE_DURATION = 'write a duration as "30s" (ms, s, m, h, d)';

/** A size: `"20GiB"`, or a number of bytes. Normalised to the largest unit that divides it, so that plans read well. */
export const size = () =>
    z
        .union([z.number(), z.string()], { error: WRITE_SIZE })
        // Aborting, since what follows reads the quantity.
        .refine((value) => (typeof value === "number" ? Number.isInteger(value) : SIZE.test(value)), { error: WRITE_SIZE, abort: true })
        .refine((value) => bytesOf(value) >= 1, { error: "a size is at least one byte", abort: true })
        .refine((value) => Number.isSafeInteger(bytesOf(value)), { error: "a size is less than 8192TiB", abort: true })
        .transform((value) => formatSize(bytesOf(value)));

/** A duration: `"30s"`, `"5m"`, `"24h"`. Normalised to the largest unit that divides it. */
export const duration = () =>
    z
        .string({ error: WRITE_DURATION })
        .regex(DURATION, { error: WRITE_DURATION, abort: true })
        .refine((value) => Number.isSafeInteger(millisecondsOf(value)), { error: "a duration is less than 285000 years", abort: true })
        .transform((value) => formatDuration(millisecondsOf(value)));

const amount = (value: string | number, pattern: RegExp, units: Readonly<Record<string, number>>): number => {
    if (typeof value === "number") return value;
    const [, count, unit] = pattern.exec(value) ?? [];
    const factor = unit === undefined ? undefined : units[unit];
    if (count === undefined || factor === undefined) throw new TypeError("not a quantity");
    return Math.round(Number(count) * factor);
};

const format = (value: number, units: Readonly<Record<string, number>>): string => {
    const [unit, factor] = Object.entries(units)
        .filter(([, each]) => value % each === 0)
        .reduce((best, each) => (each[1] > best[1] ? each : best));
    return `${value / factor}${unit}`;
};
