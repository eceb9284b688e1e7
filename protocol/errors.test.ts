import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { asZeroformError, ZeroformError } from "./errors.ts";

const thrownBy = (act: () => unknown): unknown => {
    try {
        return act();
    } catch (thrown) {
        return thrown;
    }
};

it("a disk that is full or fails is no defect of ours", () => {
    const full = asZeroformError(thrownBy(() => writeFileSync("/dev/full", "x")));
    expect(full).toMatchObject({ code: "DISK_FULL", retryable: false });
    expect(full.sentence()).toMatch(/^the disk is full: .* Make room on it\.$/);
    const broken = asZeroformError(thrownBy(() => readFileSync("/proc/self/mem")));
    expect(broken.sentence()).toMatch(/^the disk fails: .*dmesg/);
    const readOnly = Object.assign(new Error("EROFS: read-only file system, unlink '/mnt/x'"), { code: "EROFS", path: "/mnt/x" });
    expect(asZeroformError(readOnly)).toMatchObject({ code: "FAILED", message: "the file system is read-only: /mnt/x" });
});

it("anything else is one, in its own words", () => {
    expect(asZeroformError(thrownBy(() => readFileSync("/nowhere")))).toMatchObject({
        code: "INTERNAL",
        hint: expect.stringContaining("report"),
    });
});

it("names a node once", () => {
    const missing = new ZeroformError({ code: "AGENT_MISSING", node: "10.0.0.11", message: "10.0.0.11 has no zeroform agent" });
    expect(missing.sentence()).toBe("10.0.0.11 has no zeroform agent.");
    expect(missing.with({ kind: "Zdb", name: "events" }).sentence()).toBe('Zdb "events": 10.0.0.11 has no zeroform agent.');
    const full = new ZeroformError({ code: "DISK_FULL", node: "alpha", message: "the disk is full" });
    expect(full.sentence()).toBe("on alpha: the disk is full.");
});
