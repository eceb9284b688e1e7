import { run } from "../program.ts";
import { type Format, GROW_TIMEOUT_MS, MAKE_TIMEOUT_MS } from "./format.ts";

/** Its maintainers warn of checks and repairs by machines: it is consistent after a cut by its design (btrfs-check(8)). */
export const btrfs: Format = {
    packages: { "btrfs-progs": "mkfs.btrfs" },
    magic: { at: 0x10040, bytes: Buffer.from("_BHRfS_M", "ascii"), uuidAt: 0x10020 },

    make: async (path, { uuid, label }, signal) => {
        // Metadata twice, as by default today and not in every release before. --nodiscard: reserved space would be given back.
        const options = ["--quiet", "--nodiscard", "--data", "single", "--metadata", "dup", "--label", label, "--uuid", uuid];
        await run("mkfs.btrfs", [...options, path], { signal, timeoutMs: MAKE_TIMEOUT_MS });
    },

    grow: async (_device, mountPoint, signal) => {
        await run("btrfs", ["filesystem", "resize", "max", mountPoint], { signal, timeoutMs: GROW_TIMEOUT_MS });
        return "grown";
    },

    // "Invalid argument" (btrfs_ioctl_resize).
    growsTo: 256 * 2 ** 20,

    mountOptions: [],
    imageOptions: [],
    repair: (path) => `See what \`btrfs check ${path}\` finds; what is still readable can be had with \`btrfs restore\`.`,
};
