import { describe, expect, it } from "vitest";
import { retention, retentionText } from "./retention.ts";

describe("history as a program writes it", () => {
    it.each([
        ["none", "none", "none"],
        ["count 3", "count 3", "count 3"],
        ["age 90s", "age 90s", "age 90s"],
        ["age 24h", "age 1d", "age 86400s"],
    ] as const)("%s is %s, and %s on its server", (written, kept, told) => {
        expect(retention.parse(written)).toBe(kept);
        expect(retentionText(kept)).toBe(told);
    });

    it.each(["", "all", "count 0", "count 1001", "age 1", "age 500ms", "age 4000d", 3])("%s is refused", (written) => {
        const [issue] = retention.safeParse(written).error?.issues ?? [];
        expect(issue?.message).toContain('write history as "none", "count 3"');
    });
});
