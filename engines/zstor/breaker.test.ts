import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../test/zstor/random.ts";
import { VirtualClock } from "../../test/zstor/virtual-clock.ts";
import { BackendError } from "./backend.ts";
import { Breaker } from "./breaker.ts";
import { BREAKER_FLAP_MS, BREAKER_LONGEST_PAUSE_MS, BREAKER_PAUSE_MS } from "./limits.ts";

const LATE = new BackendError("late", "no answer");
const GONE = new BackendError("unreachable", "connection refused");

function made() {
    const clock = new VirtualClock();
    const random = new SeededRandom(1);
    const breaker = new Breaker({ clock, random: (length) => random.bytes(length), log: () => undefined });
    return { clock, breaker, pauseMs: () => breaker.retryMs - clock.nowMs() };
}

describe("a circuit breaker", () => {
    test("opens when there is no connection, at once", () => {
        const { breaker, clock } = made();
        breaker.failed(GONE);
        expect(breaker).toMatchObject({ state: "open", reason: "connection refused", openedMs: clock.nowMs(), openings: 1 });
    });

    test("opens by failures in a row, or by many among successes, not by a few", () => {
        const inRow = made().breaker;
        for (let count = 0; count < 2; count++) inRow.failed(LATE);
        inRow.succeeded();
        for (let count = 0; count < 2; count++) inRow.failed(LATE);
        expect(inRow.state).toBe("closed");
        inRow.failed(LATE);
        expect(inRow.state).toBe("open");
        const mixed = made().breaker;
        for (let count = 0; count < 7; count++) {
            mixed.failed(LATE);
            mixed.succeeded();
        }
        expect(mixed.state).toBe("closed");
        mixed.failed(LATE);
        mixed.succeeded();
        mixed.failed(LATE);
        expect(mixed.state).toBe("open");
    });

    test("is closed by a probe only, and not opened by a probe that stood behind others", () => {
        const { breaker } = made();
        breaker.probeFailed(LATE, false);
        expect(breaker.state).toBe("closed");
        breaker.probeFailed(LATE, true);
        breaker.succeeded();
        expect(breaker.state).toBe("open");
        breaker.probing();
        expect(breaker.state).toBe("half-open");
        breaker.probeSucceeded();
        expect(breaker).toMatchObject({ state: "closed", openedMs: undefined });
    });

    test("waits longer each time, within bounds, and forgets that once it has been well for a while", async () => {
        const { breaker, clock, pauseMs } = made();
        breaker.failed(GONE);
        const openedMs = breaker.openedMs;
        const pauses = [pauseMs()];
        for (let count = 0; count < 8; count++) {
            await clock.pass(pauseMs());
            breaker.probing();
            breaker.probeFailed(GONE, true);
            pauses.push(pauseMs());
        }
        for (const [index, ms] of pauses.entries()) {
            const longest = Math.min(BREAKER_LONGEST_PAUSE_MS, BREAKER_PAUSE_MS * 2 ** index);
            expect(ms).toBeGreaterThanOrEqual(longest / 2);
            expect(ms).toBeLessThanOrEqual(longest);
        }
        expect(breaker).toMatchObject({ openedMs, openings: 1 });
        breaker.probeSucceeded();
        breaker.failed(GONE);
        expect(pauseMs()).toBeGreaterThanOrEqual(BREAKER_LONGEST_PAUSE_MS / 2);
        breaker.probeSucceeded();
        await clock.pass(BREAKER_FLAP_MS + 1);
        breaker.failed(GONE);
        expect(pauseMs()).toBeLessThanOrEqual(BREAKER_PAUSE_MS);
    });
});
