import { describe, expect, it } from "vitest";
import { inTurn } from "./in-turn.ts";

describe("in turn", () => {
    it("one after the other for a key, whatever became of the one before", async () => {
        const order: string[] = [];
        const { promise: hold, resolve: go } = Promise.withResolvers<void>();
        const first = inTurn("a", async () => {
            await hold;
            order.push("first");
            throw new Error("first failed");
        });
        const second = inTurn("a", async () => void order.push("second"));
        await inTurn("b", async () => void order.push("other"));
        go();
        await expect(first).rejects.toThrow("first failed");
        await second;
        expect(order).toEqual(["other", "first", "second"]);
    });
});
