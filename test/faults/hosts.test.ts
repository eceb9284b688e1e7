import { describe } from "vitest";
import { powerCutBetweenRuns, powerCutDuringRun } from "./faults/power-cut.ts";
import { property } from "./property.ts";

describe("a host", () => {
    property(powerCutDuringRun);
    property(powerCutBetweenRuns);
});
