import type { Filesystem } from "../../../schema/zmount.ts";
import { btrfs } from "./btrfs.ts";
import { ext4 } from "./ext4.ts";
import type { Format } from "./format.ts";
import { xfs } from "./xfs.ts";

/** The file systems that a ZMount can have. */
export const formats: Readonly<Record<Filesystem, Format>> = { ext4, xfs, btrfs };
