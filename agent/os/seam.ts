import { devices } from "./devices.ts";
import { files } from "./files.ts";
import { frontEnds } from "./front-ends.ts";
import { images } from "./images.ts";
import { loops } from "./loops.ts";
import { mounts } from "./mounts.ts";
import type { Os } from "./os.ts";
import { ports } from "./ports.ts";
import { processes } from "./processes.ts";
import { redis } from "./redis.ts";
import { systemd } from "./systemd.ts";

/** The part of the seam that drivers use. */
export const seam: Omit<Os, "packages" | "machine"> = {
    devices,
    files,
    frontEnds,
    images,
    loops,
    mounts,
    ports,
    processes,
    redis,
    systemd,
};
