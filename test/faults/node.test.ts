import { describe } from "vitest";
import { agentKilled } from "./faults/agent-killed.ts";
import { powerCutBetweenRuns, powerCutDuringRun } from "./faults/power-cut.ts";
import { property } from "./property.ts";

describe("a node", () => {
    property(agentKilled);
    property(powerCutDuringRun);
    property(powerCutBetweenRuns);
});
