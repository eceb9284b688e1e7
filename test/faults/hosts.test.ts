import { describe } from "vitest";
import { linkCutBeyondDeadline, linkCutBriefly } from "./faults/link-cut.ts";
import { powerCutBetweenRuns, powerCutDuringRun } from "./faults/power-cut.ts";
import { property } from "./property.ts";

describe("a host", () => {
    property(powerCutDuringRun);
    property(powerCutBetweenRuns);
    property(linkCutBriefly);
    property(linkCutBeyondDeadline);
});
