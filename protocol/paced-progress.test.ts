import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Progress } from "./api.ts";
import { pacedProgress } from "./paced-progress.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const pace = () => {
    const sent: Progress[] = [];
    return { sent, ...pacedProgress((progress) => sent.push(progress), 100) };
};

it("says nothing of a call that is over at once", () => {
    const { sent, say, end } = pace();
    say("making it");
    end();
    vi.advanceTimersByTime(1_000);
    say("still at it");
    vi.advanceTimersByTime(1_000);
    expect(sent).toEqual([]);
});

it("says nothing after the end, also of a call that has said something", () => {
    const { sent, say, end } = pace();
    say("making it");
    vi.advanceTimersByTime(100);
    end();
    say("still at it");
    vi.advanceTimersByTime(1_000);
    expect(sent).toEqual([{ doing: "making it" }]);
});

it("says the latest after a while and then in intervals, and nothing twice", () => {
    const { sent, say } = pace();
    for (const doing of ["a", "b", "c"]) say(doing);
    vi.advanceTimersByTime(100);
    expect(sent).toEqual([{ doing: "c" }]);
    vi.advanceTimersByTime(500);
    expect(sent).toHaveLength(1);
    say("d");
    vi.advanceTimersByTime(100);
    expect(sent.at(-1)).toEqual({ doing: "d" });
});

it("does not forget that data have moved", () => {
    const { sent, say } = pace();
    say("copying", true);
    say("comparing");
    vi.advanceTimersByTime(100);
    say("done");
    vi.advanceTimersByTime(100);
    expect(sent).toEqual([{ doing: "comparing", moved: true }, { doing: "done" }]);
});
