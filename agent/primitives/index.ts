import { zdbDriver } from "./zdb.ts";
import { zmountDriver } from "./zmount.ts";
import { zstorDriver } from "./zstor.ts";

/** The driver of every primitive that the agent makes; a Node is the agent itself. */
export const drivers = { ZMount: zmountDriver, Zdb: zdbDriver, ZStor: zstorDriver } as const;
