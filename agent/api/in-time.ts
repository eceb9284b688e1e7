import { ZeroformError } from "../../protocol/errors.ts";
import type { Work } from "../os/os.ts";
import type { Waiting } from "../reconciler/reconciler.ts";
import type { Core } from "./core.ts";

/** Does something until nobody waits for it any more; throws TIMEOUT, with what was being done, when the deadline comes first. */
export const inTime = async <T>(core: Core, { until, signal, progress }: Waiting, act: (work: Work) => Promise<T>): Promise<T> => {
    const late = new AbortController();
    const callOff = core.clock.after(Math.max(0, until - core.clock.uptime()), () => late.abort());
    let doing = "getting ready";
    try {
        return await act({
            signal: AbortSignal.any([signal, late.signal]),
            progress: (words, moved) => {
                doing = words;
                progress(words, moved);
            },
        });
    } catch (failure) {
        if (!late.signal.aborted || signal.aborted) throw failure;
        throw new ZeroformError(
            { code: "TIMEOUT", message: `the deadline came while ${doing}`, hint: "Raise it with `timeouts`.", retryable: true },
            failure,
        );
    } finally {
        callOff();
    }
};
