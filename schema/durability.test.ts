import { describe, expect, it } from "vitest";
import { durability } from "./durability.ts";

describe("durability as a program writes it", () => {
    it.each([
        ["none", "none"],
        ["commit", "commit"],
        ["interval 1s", "interval 1s"],
        ["interval 2000ms", "interval 2s"],
        ["interval 0.2s", "interval 200ms"],
        ["interval 1h", "interval 3600s"],
    ])("%s is %s on its server", (written, told) => expect(durability.parse(written)).toBe(told));

    it.each(["", "always", "interval", "interval 1", "interval 5ms", "interval 2h", "interval -1s", 1, true])(
        "%s is refused",
        (written) => {
            const [issue] = durability.safeParse(written).error?.issues ?? [];
            expect(issue?.message).toBe('write durability as "none", "interval 1s" (10ms to 1h) or "commit"');
        },
    );
});
