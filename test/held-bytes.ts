import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Memory by what is still in use: what waits to be collected says nothing. */
export function heldBytes(): number {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    collect();
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
}
