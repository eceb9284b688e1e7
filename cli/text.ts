/** Rows as aligned columns; trailing blanks are cut. */
export const columns = (rows: readonly (readonly string[])[], indent = ""): string => {
    const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
    return rows.map((row) => (indent + row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")).trimEnd()).join("\n");
};

const STEPS = [
    { ms: 86_400_000, unit: "d" },
    { ms: 3_600_000, unit: "h" },
    { ms: 60_000, unit: "m" },
    { ms: 1_000, unit: "s" },
] as const;

/** How long ago a moment was, in its largest unit: "5m". */
export const ago = (at: number, now = Date.now()): string => {
    const step = STEPS.find(({ ms }) => now - at >= ms);
    return step ? `${Math.floor((now - at) / step.ms)}${step.unit}` : "now";
};
