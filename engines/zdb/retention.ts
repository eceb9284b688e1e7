/**
 * Which versions of live keys are kept beside the newest when segments are rewritten: the last so many of each key, or those that were
 * the newest within the last so many seconds.
 */
export type Retention = { readonly kind: "count"; readonly versions: number } | { readonly kind: "age"; readonly seconds: number };

const MAX_VERSIONS = 1000;
const MAX_SECONDS = 10 * 365 * 86_400;
const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** What `NSSET <ns> history` takes. */
export const RETENTION_TEXTS = "none, count <n>, age <n>s, age <n>m, age <n>h, age <n>d";

/** Reads `none`, `count 3`, `age 90s`, `age 24h`; undefined for none, false for anything else. */
export function parseRetention(text: string): Retention | undefined | false {
    if (text === "none") return undefined;
    const match = /^(?:count ([1-9]\d{0,3})|age ([1-9]\d{0,8})([smhd]))$/.exec(text);
    if (!match) return false;
    if (match[1] !== undefined) {
        const versions = Number(match[1]);
        return versions <= MAX_VERSIONS && { kind: "count", versions };
    }
    const seconds = Number(match[2]) * (UNIT_SECONDS[match[3] ?? ""] ?? 1);
    return seconds <= MAX_SECONDS && { kind: "age", seconds };
}

/** A text `parseRetention` reads. */
export function formatRetention(retention: Retention | undefined): string {
    if (!retention) return "none";
    return retention.kind === "count" ? `count ${retention.versions}` : `age ${retention.seconds}s`;
}
