/** Text of somebody else as a terminal may show it: what would move the cursor or change the terminal is spelled out. */
export const harmless = (text: string): string =>
    text.replace(/(?![\t\n])\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);

/** "1 resource", "2 resources" */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

/** Rows as aligned columns, whatever is in the cells; trailing blanks are cut. */
export const columns = (cells: readonly (readonly string[])[], indent = ""): string => {
    const rows = cells.map((row) => row.map(inOneLine));
    const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
    return rows.map((row) => (indent + row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")).trimEnd()).join("\n");
};

const inOneLine = (text: string): string =>
    harmless(
        text
            .trim()
            .replace(/\s*\n\s*/g, " | ")
            .replaceAll("\t", " "),
    );

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
