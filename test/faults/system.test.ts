import { describe } from "vitest";
import { clockSet } from "./faults/clock-set.ts";
import { packagesLocked, packagesOffline } from "./faults/packages.ts";
import { property } from "./property.ts";

describe("what a node stands on", () => {
    property(clockSet);
    property(packagesLocked);
    property(packagesOffline);
});
