import { describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { persist } from "./attempts.ts";
import { fakeSurroundings } from "./fake-surroundings.ts";

const setUp = (timeoutMs = 60_000) => {
    const around = fakeSurroundings({});
    const { clock, engine } = around.surroundings;
    const context = { action: "create", kind: "ZMount", name: "disk", node: "alpha" };
    return { ...around, patience: { timeoutMs, setting: "timeouts.create", clock, engine, urn: "urn", context } };
};
const failure = (retryable: boolean) => new ZeroformError({ code: "BUSY", message: "the package manager is locked", retryable });

describe("an operation", () => {
    it("is not tried again when that cannot help", async () => {
        const { patience } = setUp();
        let tries = 0;
        const work = () => {
            tries++;
            return Promise.reject(failure(false));
        };
        await expect(persist(patience, work)).rejects.toMatchObject({ code: "BUSY", kind: "ZMount", resource: "disk", node: "alpha" });
        expect(tries).toBe(1);
    });

    it("is tried again, in growing pauses, until its deadline; then the last error says what was in the way", async () => {
        const { patience, now } = setUp();
        const at: number[] = [];
        const work = () => {
            at.push(now());
            return Promise.reject(failure(true));
        };
        const error = await persist(patience, work).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: "BUSY", message: "the package manager is locked (tried for 1m)" });
        expect((error as ZeroformError).hint).toBe("Set timeouts.create to wait longer.");
        expect(at.length).toBeGreaterThan(10);
        expect(at.at(-1)).toBeLessThan(60_000);
        expect((at[1] ?? 0) - (at[0] ?? 0)).toBeLessThan(1_000);
    });

    it("that hangs ends at its deadline and says what it was at", async () => {
        const { patience, pass } = setUp();
        const doing = persist(patience, ({ signal, say }) => {
            say("installing e2fsprogs");
            return new Promise((_, reject) => {
                signal.addEventListener("abort", () => reject(new ZeroformError({ code: "CANCELLED", message: "cancelled" })));
                pass(60_000);
            });
        });
        await expect(doing).rejects.toMatchObject({ code: "TIMEOUT", message: "not done after 1m while installing e2fsprogs" });
    });

    it("is given time as long as data move, and ends a minute after the last that did", async () => {
        const { patience, pass, now } = setUp();
        const began = now();
        const doing = persist(patience, async ({ signal, moved }) => {
            for (let minute = 0; minute < 10; minute++) {
                pass(50_000);
                expect(signal.aborted).toBe(false);
                moved();
            }
            pass(59_999);
            expect(signal.aborted).toBe(false);
            pass(1);
            signal.throwIfAborted();
        });
        await expect(doing).rejects.toMatchObject({ code: "TIMEOUT", message: "not done after 560s" });
        expect(now() - began).toBe(560_000);
    });

    it("is not begun, and not tried again, for an engine that is gone", async () => {
        const { patience, kill } = setUp();
        let tries = 0;
        const work = () => {
            tries++;
            kill();
            return Promise.reject(failure(true));
        };
        await expect(persist(patience, work)).rejects.toMatchObject({ code: "ENGINE_GONE" });
        await expect(persist(patience, work)).rejects.toMatchObject({ code: "ENGINE_GONE" });
        expect(tries).toBe(1);
    });

    it("keeps the words of a defect", async () => {
        const { patience } = setUp();
        await expect(persist(patience, () => Promise.reject(new TypeError("x is not a function")))).rejects.toMatchObject({
            code: "INTERNAL",
            message: "internal error: x is not a function",
        });
    });
});
