import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Keeps this process small for its whole life. Pulumi's host of dynamic providers has loaded a TypeScript compiler before us, and with it made
 * V8 keep 32 MiB for new objects and leave the garbage of loading where it is. Nothing here is in a hurry for memory: one full collection
 * (about 0.1 s) and a heap that stays compact cost less than 70 MiB of the operator's machine.
 */
export const staySmall = (): void => {
    setFlagsFromString("--optimize-for-size");
    // What is new here dies young; otherwise the space for it grows to 8 MiB again in a refresh.
    setFlagsFromString("--semi-space-growth-factor=1");
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    if (typeof collect === "function") collect({ type: "major", flavor: "last-resort" });
};
