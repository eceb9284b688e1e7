import { bestCodec } from "../../engines/zstor/codecs.ts";
import type { StoreParts } from "../../engines/zstor/store.ts";
import type { BackendConfig } from "../../engines/zstor/store-record.ts";
import { systemClock, systemSurroundings } from "../../engines/zstor/surroundings.ts";
import { zdbBackend } from "../../engines/zstor/zdb-backend.ts";
import { backendsOf } from "./memory-store.ts";

/** What a store over real servers needs of the world, its view in memory. */
export function partsOver(more: Partial<StoreParts> = {}): StoreParts {
    return {
        surroundings: systemSurroundings(() => undefined),
        connect: (url) => zdbBackend(url, systemClock),
        codec: bestCodec(),
        viewPath: ":memory:",
        // Scrypt at its usual cost would be all that these tests do.
        secretCost: 4,
        ...more,
    };
}

/** Backends at these urls, each a group and a disk of its own. */
export function backendsAt(urls: readonly string[]): BackendConfig[] {
    return backendsOf(urls.length).map((backend, index) => ({ ...backend, url: urls[index] ?? "" }));
}
