import { ZeroformError } from "../../protocol/errors.ts";
import { formatSize } from "../../schema/quantity.ts";
import type { Context } from "./driver.ts";
import { loopOf, usersOf, vanished } from "./zmount-mounting.ts";
import type { ImageMount, Places } from "./zmount-places.ts";
import { noteImage, readRecord } from "./zmount-units.ts";

/** Makes loop and file system as large as the image. */
export const ensureGrown = async (resource: ImageMount, places: Places, context: Context): Promise<void> => {
    const { files, images, loops } = context.os;
    const { os, progress, signal } = context;
    const [loop, image, record] = await Promise.all([loopOf(places, os), files.stat(places.image), readRecord(places, os)]);
    if (loop === undefined || image === undefined) throw vanished(places);
    if (loop.bytes !== image.bytes) await loops.adoptSize(loop);
    if (record?.grownTo === image.bytes && record.check === "quick") return;

    progress(`growing the file system to ${formatSize(image.bytes)}`);
    const mounted = { device: loop.device, mountPoint: places.mountPoint };
    if ((await images.grow(mounted, resource.spec.filesystem, signal)) === "refused") await growUnmounted(resource, places, context);
    // New structures were zeroed by punching holes.
    await images.reserve(places.image, image.bytes, signal);
    await noteImage(places, { grownTo: image.bytes, check: "quick" }, os);
};

/**
 * Where the kernel does not let us grow it in use: our servers on it are stopped, it is checked and grown on the way to being mounted again,
 * and they are started.
 */
const growUnmounted = async (resource: ImageMount, places: Places, context: Context): Promise<void> => {
    const { os } = context;
    const note = () => noteImage(places, { grownTo: undefined, check: "full" }, os);
    await growOnTheWay(places, resource.spec.size, note, context);
    const loop = await loopOf(places, os);
    if (loop?.discards) await os.loops.keepReserved(loop);
};

/** Unmounts it and mounts it again; `note` tells the check in between that it is to grow it. */
export const growOnTheWay = async (
    places: Pick<Places, "mountPoint" | "mountUnit">,
    to: string,
    note: () => Promise<void>,
    { os, progress, signal }: Context,
): Promise<void> => {
    const foreign = await usersOf(places, os, (unit) => !unit?.startsWith("zeroform-"));
    if (foreign !== "") {
        throw new ZeroformError({
            code: "IN_USE",
            message: `this node's kernel does not let us grow a file system in use (CAP_SYS_RESOURCE is missing), and ${places.mountPoint} is in use by ${foreign}`,
            hint: `Stop it; the growth to ${to} then goes on by itself.`,
        });
    }
    progress("unmounting for a moment, because this node's kernel does not grow it in use");
    await note();
    await os.systemd.restart(places.mountUnit, signal);
};
