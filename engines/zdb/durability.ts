/**
 * What an acknowledged write survives besides the death of the process, which all of them survive:
 * `none`: nothing promised; `interval`: a power loss takes at most the last `ms`; `commit`: a power loss takes nothing.
 */
export type Durability = { readonly kind: "none" } | { readonly kind: "interval"; readonly ms: number } | { readonly kind: "commit" };

export const DEFAULT_DURABILITY: Durability = { kind: "interval", ms: 1000 };

const MIN_INTERVAL_MS = 10;
const MAX_INTERVAL_MS = 3_600_000;

/** Reads `none`, `commit`, `interval 1s` or `interval 200ms`; undefined for anything else. */
export function parseDurability(text: string): Durability | undefined {
    if (text === "none" || text === "commit") return { kind: text };
    const match = /^interval ([1-9]\d{0,6})(ms|s)$/.exec(text);
    if (!match) return undefined;
    const ms = Number(match[1]) * (match[2] === "s" ? 1000 : 1);
    return ms >= MIN_INTERVAL_MS && ms <= MAX_INTERVAL_MS ? { kind: "interval", ms } : undefined;
}

/** The text `parseDurability` reads. */
export function formatDurability(durability: Durability): string {
    if (durability.kind !== "interval") return durability.kind;
    return durability.ms % 1000 === 0 ? `interval ${durability.ms / 1000}s` : `interval ${durability.ms}ms`;
}
