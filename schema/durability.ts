import { z } from "zod";
import { millisecondsOf } from "./quantity.ts";

const INTERVAL = /^interval (\d+(?:\.\d+)?(?:ms|s|m|h))$/;
const LEAST_MS = 10;
const MOST_MS = 3_600_000;
const WRITE = 'write durability as "none", "interval 1s" (10ms to 1h) or "commit"';

export type Durability = "none" | "commit" | `interval ${string}`;

/** What an acknowledged write survives besides the death of its server. Normalised to how the server tells it. */
export const durability = z
    .union([z.literal("none"), z.literal("commit"), z.templateLiteral(["interval ", z.string()])], { error: WRITE })
    .transform((text, context): Durability => {
        if (text === "none" || text === "commit") return text;
        const ms = intervalMs(text);
        if (ms !== undefined && ms >= LEAST_MS && ms <= MOST_MS) return ms % 1_000 === 0 ? `interval ${ms / 1_000}s` : `interval ${ms}ms`;
        context.addIssue(WRITE);
        return z.NEVER;
    });

const intervalMs = (text: string): number | undefined => {
    const [, duration] = INTERVAL.exec(text) ?? [];
    return duration === undefined ? undefined : millisecondsOf(duration);
};
