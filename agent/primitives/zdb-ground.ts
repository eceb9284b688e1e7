import { ZeroformError } from "../../protocol/errors.ts";
import type { Context } from "./driver.ts";
import { serverOf, type Zdb } from "./zdb-places.ts";
import { recordOf } from "./zmount-device-record.ts";
import { isOnDevice, mountPointOf, type ZMount } from "./zmount-places.ts";
import { locate } from "./zmount-pool.ts";

/** `away`: it is wanted and comes back. `gone`: nobody brings it back under this name; what lay on it went with it. */
export type Ground = "there" | "away" | "gone";

type Asking = Pick<Context, "os" | "resources">;

/** What a Zdb's data lie on, at this moment. */
export const groundOf = async (resource: Zdb, { os, resources }: Asking): Promise<Ground> => {
    const { mountPoint } = serverOf(resource);
    if (mountPoint === undefined || (await os.mounts.list()).has(mountPoint)) return "there";
    const mount = (resources("ZMount") as readonly ZMount[]).find(({ life }) => mountPointOf(life) === mountPoint);
    // One that is being removed is not mounted again: waiting for it would be waiting for ever.
    if (mount === undefined) return "gone";
    if (isOnDevice(mount)) return (await recordOf(mount, os)) === undefined ? "gone" : "away";
    const places = await locate(mount, os);
    const [marker, image] = await Promise.all([os.files.stat(places.marker), os.files.stat(places.image)]);
    return marker !== undefined && image === undefined ? "gone" : "away";
};

/** Answers whether there is a ground at all; one that is only away has to be waited for: what cannot be seen is not what is not there. */
export const hasGround = async (resource: Zdb, asking: Asking): Promise<boolean> => {
    const ground = await groundOf(resource, asking);
    if (ground !== "away") return ground === "there";
    throw new ZeroformError({
        code: "NOT_READY",
        message: `its data cannot be reached: its ZMount is not mounted at ${serverOf(resource).mountPoint}`,
        hint: "`zeroform status` shows why the ZMount is not ready.",
        retryable: true,
    });
};
