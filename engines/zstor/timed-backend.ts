import type { Backend } from "./backend.ts";
import type { Figures } from "./figures.ts";

/** Notes what is asked of a backend, by kind of request. */
export function timedBackend(backend: Backend, figures: Figures): Backend {
    return {
        get: (key) => figures.time("get", lengthOf, () => backend.get(key)),
        set: (key, value) =>
            figures.time(
                "set",
                () => value.length,
                () => backend.set(key, value),
            ),
        delete: (key) => figures.time("delete", none, () => backend.delete(key)),
        scan: (cursor) => figures.time("scan", none, () => backend.scan(cursor)),
        info: () => figures.time("info", none, () => backend.info()),
        close: () => backend.close(),
    };
}

const none = () => 0;

function lengthOf(value: Buffer | undefined): number {
    return value?.length ?? 0;
}
