import { ZeroformError } from "../../protocol/errors.ts";
import { bytesOf, formatSize } from "../../schema/quantity.ts";
import type { FileStat } from "../os/files.ts";
import type { Os } from "../os/os.ts";
import { broken, unmount } from "./zmount-mounting.ts";
import { poolGone } from "./zmount-observe.ts";
import { type ImageMount, type Places, placesOf } from "./zmount-places.ts";
import { locate } from "./zmount-pool.ts";
import type { TrashedOn } from "./zmount-space.ts";
import { noteImage } from "./zmount-units.ts";

/** Puts the image at `place` into the place of a ZMount's own, which goes to `own`. */
export const restoreImage = async ({ place, resource }: TrashedOn<ImageMount>, into: ImageMount, own: string, os: Os): Promise<void> => {
    const { files } = os;
    const places = placesOf(into);
    if ((await locate(into, os)).image !== places.image)
        throw new ZeroformError({
            code: "IN_USE",
            message: `ZMount "${into.name}" is being moved to ${places.directory}`,
            hint: "`zeroform status` shows when that is done; restore into it then.",
        });
    const [trashed, image, kept] = await Promise.all([files.stat(place), files.stat(places.image), files.stat(own)]);
    if (trashed === undefined) {
        // Done already, when a restore that was cut off is repeated.
        if (image !== undefined) return;
        throw broken(`the trashed image is not at ${place} any more`, "Look at zeroform trash list.");
    }
    requireSameFormat(resource, into);
    await requireFitting(trashed, into, places, os);
    await unmount(places, os);
    // The image is never missing: its file gets a second name first, then the trashed one takes the first.
    if (image !== undefined && kept === undefined && (await files.link(places.image, own)) === "elsewhere") throw elsewhere(places);
    await noteImage(places, { grownTo: undefined, check: "quick" }, os);
    await files.move(place, places.image);
};

const requireSameFormat = ({ spec }: ImageMount, into: ImageMount): void => {
    if (spec.filesystem === into.spec.filesystem) return;
    throw invalid(
        `the trashed image has ${spec.filesystem} on it, and ZMount "${into.name}" is to have ${into.spec.filesystem}`,
        `Restore it into a ZMount with filesystem: "${spec.filesystem}".`,
    );
};

const requireFitting = async (trashed: FileStat, into: ImageMount, places: Places, os: Os): Promise<void> => {
    if (trashed.bytes > bytesOf(into.spec.size)) {
        const size = formatSize(trashed.bytes);
        throw invalid(
            `the trashed image has ${size}, more than the ${into.spec.size} of ZMount "${into.name}"`,
            `Write size: "${size}" first.`,
        );
    }
    const directory = await os.files.stat(places.directory);
    if (directory === undefined) throw broken(poolGone(places.directory));
    if (directory.device !== trashed.device) throw elsewhere(places);
};

const elsewhere = ({ directory }: Places) =>
    invalid(`the trashed image is on another file system than ${directory}`, "Restore it into a ZMount of the same pool.");

const invalid = (message: string, hint: string) => new ZeroformError({ code: "INVALID", message, hint });
