import { describe } from "vitest";
import { poolFull, tmpFull, varFull } from "./faults/disk-full.ts";
import { property } from "./property.ts";

describe("a full disk", () => {
    property(poolFull);
    property(varFull);
    property(tmpFull);
});
