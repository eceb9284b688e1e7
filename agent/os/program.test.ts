import { describe, expect, it } from "vitest";
import { asZeroformError } from "../../protocol/errors.ts";
import { ProgramFailure, run } from "./program.ts";

describe("a program", () => {
    it("is run without a shell, in a known environment", async () => {
        expect((await run("printf", ["%s", "$HOME; *"])).stdout).toBe("$HOME; *");
        expect((await run("env", [])).stdout.split("\n").filter(Boolean).sort()).toEqual(
            expect.arrayContaining([expect.stringMatching(/^LC_ALL=/), expect.stringMatching(/^PATH=/)]),
        );
    });

    it("fails with its own words and status", async () => {
        const failure = await run("sh", ["-c", "echo nothing works >&2; exit 3"]).catch((thrown: unknown) => thrown);
        expect(failure).toBeInstanceOf(ProgramFailure);
        expect(asZeroformError(failure)).toMatchObject({ code: "FAILED", message: (failure as Error).message });
        expect(failure).toMatchObject({ status: 3, words: "nothing works" });
        expect((await run("sh", ["-c", "exit 3"], { accept: [0, 3] })).status).toBe(3);
    });

    it("that is not there fails as any other", async () => {
        await expect(run("no-such-program", [])).rejects.toMatchObject({ status: undefined, words: "it is not installed" });
    });

    it("ends at its deadline and when nobody waits", async () => {
        await expect(run("sleep", ["60"], { timeoutMs: 20 })).rejects.toThrow("sleep failed: no end after 0.02 s");
        const abort = new AbortController();
        const running = run("sleep", ["60"], { signal: abort.signal });
        abort.abort();
        await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
        await expect(run("sleep", ["60"], { signal: abort.signal })).rejects.toMatchObject({ code: "CANCELLED" });
    });

    it("that says nothing fails without its command line, which may hold what nobody shall read", async () => {
        const failure = await run("sh", ["-c", "exit 1", "secret"]).catch((thrown: unknown) => thrown);
        expect(String(failure)).not.toContain("secret");
        expect(failure).toMatchObject({ status: 1, words: "it said nothing" });
    });

    it("that prints without end is stopped", async () => {
        await expect(run("yes", [], { timeoutMs: 20_000 })).rejects.toBeInstanceOf(ProgramFailure);
    });
});
