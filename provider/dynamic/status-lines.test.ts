import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { statusLines } from "./status-lines.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("prints the first line at once, and then the latest in intervals, each resource for itself", () => {
    const printed: string[] = [];
    const { say, close } = statusLines((urn, line) => printed.push(`${urn} ${line}`), 200);
    for (const line of ["1", "2", "3"]) say("a", line);
    say("b", "x");
    expect(printed).toEqual(["a 1", "b x"]);
    vi.advanceTimersByTime(200);
    expect(printed).toEqual(["a 1", "b x", "a 3"]);
    vi.advanceTimersByTime(400);
    say("a", "4");
    expect(printed.at(-1)).toBe("a 4");
    say("a", "5");
    close();
    vi.advanceTimersByTime(1_000);
    expect(printed.at(-1)).toBe("a 4");
});

it("says nothing of a resource that has no URN", () => {
    const printed: string[] = [];
    statusLines((_, line) => printed.push(line)).say("", "1");
    expect(printed).toEqual([]);
});
