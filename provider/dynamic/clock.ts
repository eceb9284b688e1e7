import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../lifecycle/surroundings.ts";

export const systemClock: Clock = {
    now: () => performance.now(),
    sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}),
    after: (ms, then) => {
        const timer = setTimeout(then, ms);
        return () => clearTimeout(timer);
    },
};
