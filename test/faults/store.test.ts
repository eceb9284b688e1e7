import { describe } from "vitest";
import { directoryDeleted, directoryReadOnly, restoredFromBackup } from "./faults/agent-directory.ts";
import { storeDamaged } from "./faults/store-damaged.ts";
import { property } from "./property.ts";

describe("what the agent remembers", () => {
    property(storeDamaged);
    property(directoryDeleted);
    property(directoryReadOnly);
    property(restoredFromBackup);
});
