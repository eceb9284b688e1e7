import { z } from "zod";
import { bearingData, onNode } from "./on-node.ts";
import { grow, output, primitive, replace } from "./primitive.ts";
import { bytesOf, size } from "./quantity.ts";

/** The smallest file system that mke2fs makes and that leaves room for its journal and something else. */
const SMALLEST_BYTES = 16 * 2 ** 20;

/** Space with a hard size on a node's disk, mounted there and handed to workloads. */
export const zmount = primitive({
    kind: "ZMount",
    summary: "Space with a hard size on a node's disk, mounted there and handed to workloads.",
    bearsData: true,
    inputs: {
        ...onNode,
        /** Space, reserved when the mount is made: `"20GiB"` or bytes, at least 16 MiB. Grows in place while in use; never shrinks. */
        size: grow(
            size().refine((value) => bytesOf(value) >= SMALLEST_BYTES, { error: "a ZMount is at least 16MiB" }),
            bytesOf,
        ),
        /** File system on it. @default "ext4" */
        filesystem: replace(
            z.enum(["ext4"], { error: 'write filesystem as "ext4"' }).default("ext4"),
            "a file system is not converted in place",
        ),
        /** Directory on a file system of the node from which the space is taken. @default the agent's own pool */
        pool: replace(
            z
                .string()
                .regex(/^\/[A-Za-z0-9._/-]+$/, { error: "write pool as an absolute path of letters, digits, dots, dashes and underscores" })
                .refine((path) => !path.split("/").includes(".."), { error: "write pool as an absolute path without .." })
                .transform((path) => path.replace(/\/+/g, "/").replace(/(.)\/$/, "$1"))
                .optional(),
            "data is not moved between pools",
        ),
        ...bearingData,
    },
    outputs: {
        /** Where it is mounted on the node. */
        path: output(z.string()),
    },
});
