import { describe } from "vitest";
import { agentKilled } from "./faults/agent-killed.ts";
import { runKilled } from "./faults/run-killed.ts";
import { property } from "./property.ts";

describe("kill -9", () => {
    property(runKilled("the CLI"));
    property(runKilled("the provider"));
    property(runKilled("CLI and provider"));
    property(agentKilled);
});
