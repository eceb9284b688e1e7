import { z } from "zod";
import { bearingData, onNode } from "./on-node.ts";
import { grow, output, primitive, replace, update } from "./primitive.ts";
import { bytesOf, size } from "./quantity.ts";

/** The smallest of each file system that its own tools make, and that leaves room for its journal and something else. */
const SMALLEST = { ext4: "16MiB", xfs: "300MiB", btrfs: "128MiB" } as const;

export type Filesystem = keyof typeof SMALLEST;

const FILESYSTEMS = Object.keys(SMALLEST) as [Filesystem, ...Filesystem[]];

const WRITE_DEVICE = 'write device as the path of a block device, such as "/dev/disk/by-id/..."';

/** The least that a file system can have. */
export const smallestOf = (filesystem: Filesystem): string => SMALLEST[filesystem];

/** Space with a hard size on a node's disk, mounted there and handed to workloads. */
export const zmount = primitive({
    kind: "ZMount",
    summary: "Space with a hard size on a node's disk, mounted there and handed to workloads.",
    bearsData: true,
    inputs: {
        ...onNode,
        /** Space, reserved when the mount is made: `"20GiB"` or bytes, at least 16 MiB (xfs: 300 MiB, btrfs: 128 MiB). Grows in place while in use; never shrinks. @default required without `device` */
        size: grow(
            size()
                .refine((value) => bytesOf(value) >= bytesOf(SMALLEST.ext4), { error: `a ZMount is at least ${SMALLEST.ext4}` })
                .optional(),
            (value) => bytesOf(value ?? 0),
        ),
        /** A whole block device of the node that is empty, instead of `size` and `pool`: `"/dev/disk/by-id/nvme-..."`, or any other path. What has anything on it is never touched. @default space from a pool */
        device: replace(
            z
                .string({ error: WRITE_DEVICE })
                .regex(/^\/[A-Za-z0-9._:+@=,~/-]+$/, { error: WRITE_DEVICE })
                .refine((path) => !path.split("/").includes(".."), { error: "write device as an absolute path without .." })
                .optional(),
            "what is on a device stays on it",
        ),
        /** File system on it: `"ext4"`, `"xfs"` or `"btrfs"`. @default "ext4" */
        filesystem: replace(
            z.enum(FILESYSTEMS, { error: 'write filesystem as "ext4", "xfs" or "btrfs"' }).default("ext4"),
            "a file system is not converted in place",
        ),
        /** Directory on a file system of the node from which the space is taken. A change moves the data there. @default the agent's own pool */
        pool: update(
            z
                .string()
                .regex(/^\/[A-Za-z0-9._/-]+$/, { error: "write pool as an absolute path of letters, digits, dots, dashes and underscores" })
                .refine((path) => !path.split("/").includes(".."), { error: "write pool as an absolute path without .." })
                .transform((path) => path.replace(/\/+/g, "/").replace(/(.)\/$/, "$1"))
                .optional(),
        ),
        ...bearingData,
    },
    outputs: {
        /** Where it is mounted on the node. */
        path: output(z.string()),
        /** Bytes that it has: those of `size`, or of its device. */
        sizeBytes: output(z.number()),
    },
    // A device holds one file system, also while the old one lies in the trash.
    exclusive: (inputs) => inputs.device !== undefined,
    refine: ({ size, device, pool, filesystem }, has) => {
        if (device !== undefined && size !== undefined)
            return [{ property: "size", reason: "leave size out with device: all of the device is taken" }];
        if (device !== undefined && pool !== undefined)
            return [{ property: "pool", reason: "leave pool out with device: the device is where the space is" }];
        if (!has("device") && !has("size"))
            return [{ property: "size", reason: 'size is missing: write size as "20GiB", or a block device of the node as device' }];
        const smallest = SMALLEST[filesystem as Filesystem];
        if (size === undefined || smallest === undefined || bytesOf(String(size)) >= bytesOf(smallest)) return [];
        return [{ property: "size", reason: `a ZMount on ${filesystem} is at least ${smallest}` }];
    },
});
