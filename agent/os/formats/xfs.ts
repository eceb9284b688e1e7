import { run } from "../program.ts";
import { type Format, GROW_TIMEOUT_MS, MAKE_TIMEOUT_MS } from "./format.ts";

/** Its maintainers want no check at boot: the kernel replays the log when it is mounted, and xfs_repair is for people (fsck.xfs(8)). */
export const xfs: Format = {
    packages: { xfsprogs: "mkfs.xfs" },
    magic: { at: 0, bytes: Buffer.from("XFSB", "ascii"), uuidAt: 32 },

    make: async (path, { uuid, label }, signal) => {
        // -K: discarding would give reserved space back.
        await run("mkfs.xfs", ["-q", "-K", "-L", label, "-m", `uuid=${uuid}`, path], { signal, timeoutMs: MAKE_TIMEOUT_MS });
    },

    grow: async (_device, mountPoint, signal) => {
        await run("xfs_growfs", ["-d", mountPoint], { signal, timeoutMs: GROW_TIMEOUT_MS });
        return "grown";
    },

    mountOptions: [],
    imageOptions: [],
    repair: (path) => `See what \`xfs_repair -n ${path}\` finds, and mend it with xfs_repair.`,
};
