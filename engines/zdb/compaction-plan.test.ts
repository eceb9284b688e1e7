import { describe, expect, test } from "vitest";
import { chooseRun, type RunLimits } from "./compaction-plan.ts";
import { Segment } from "./segment.ts";
import { newSegmentHeader } from "./segment-files.ts";

const SEGMENT_BYTES = 1_000_000;
const limits: RunLimits = { segmentBytes: SEGMENT_BYTES, mostOutputBytes: SEGMENT_BYTES, isFull: false };

/** A closed segment with so much in it, of which so much is live. */
function segment(number: number, bytes: number, liveBytes: number): Segment {
    const made = new Segment(number, newSegmentHeader(1, number, number + 1, number, 4096), bytes);
    made.liveBytes = liveBytes;
    return made;
}

const chosen = (closed: readonly Segment[], changes: Partial<RunLimits> = {}): number[] | undefined =>
    chooseRun(closed, { ...limits, ...changes })?.map(({ id }) => id);

describe("the segments that are rewritten", () => {
    test("are those that free most for what is copied", () => {
        const closed = [segment(0, 900_000, 800_000), segment(1, 900_000, 100_000), segment(2, 900_000, 850_000)];
        expect(chosen(closed)).toEqual([1]);
    });

    test("are none while little would be freed, but on a full disk", () => {
        const closed = [segment(0, 900_000, 800_000), segment(1, 900_000, 800_000)];
        expect(chosen(closed)).toBeUndefined();
        expect(chosen(closed, { isFull: true })).toHaveLength(1);
    });

    test("are small ones beside each other that fit into one, though nothing of them is garbage", () => {
        const small = Array.from({ length: 6 }, (_, number) => segment(number, 20_000, 19_872));
        expect(chosen(small)).toEqual([0, 1, 2, 3, 4, 5]);
        expect(chosen(small.slice(0, 3))).toBeUndefined();
    });

    test("lie beside each other, hold no damage, and fit into one segment and the room there is", () => {
        const closed = Array.from({ length: 8 }, (_, number) => segment(number, 600_000, 300_000));
        const damaged = closed[2];
        if (damaged) damaged.damaged = true;
        const run = chosen(closed) ?? [];
        expect(run).not.toContain(2);
        expect(run).toEqual(run.map((_, place) => (run[0] ?? 0) + place));
        expect(run.length * 300_128).toBeLessThanOrEqual(SEGMENT_BYTES);
        expect(chosen(closed, { mostOutputBytes: 200_000 })).toBeUndefined();
    });
});
