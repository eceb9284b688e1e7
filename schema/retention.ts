import { z } from "zod";
import { formatDuration, millisecondsOf } from "./quantity.ts";

const TEXT = /^(?:count ([1-9]\d{0,3})|age (\d+(?:\.\d+)?(?:ms|s|m|h|d)))$/;
const MOST_VERSIONS = 1_000;
const MOST_DAYS = 3_650;
const DAY_MS = 86_400_000;
const WRITE = 'write history as "none", "count 3" (1 to 1000 versions) or "age 24h" (1s to 3650d)';

export type Retention = "none" | `count ${string}` | `age ${string}`;

/** Which versions of a value are kept beside the newest. */
export const retention = z
    .union([z.literal("none"), z.templateLiteral(["count ", z.string()]), z.templateLiteral(["age ", z.string()])], { error: WRITE })
    .transform((text, context): Retention => {
        const [, versions, age] = TEXT.exec(text) ?? [];
        if (text === "none" || (versions !== undefined && Number(versions) <= MOST_VERSIONS)) return text;
        const ms = age === undefined ? 0 : millisecondsOf(age);
        if (ms >= 1_000 && ms % 1_000 === 0 && ms <= MOST_DAYS * DAY_MS) return `age ${formatDuration(ms)}`;
        context.addIssue(WRITE);
        return z.NEVER;
    });

/** How a server tells it: in seconds. */
export const retentionText = (kept: Retention): string =>
    kept.startsWith("age ") ? `age ${millisecondsOf(kept.slice("age ".length)) / 1_000}s` : kept;
