import type { Work } from "../../provider/node/shared-work.ts";

/** Work that nobody waits for or is told of. */
export function unwatchedWork(signal = new AbortController().signal): Work {
    const nothing = () => undefined;
    return { signal, progress: nothing, moved: nothing, hindered: nothing, suspected: nothing };
}
