import { ProgramFailure, run } from "../program.ts";
import { type Format, GROW_TIMEOUT_MS, MAKE_TIMEOUT_MS } from "./format.ts";

/** Blocks of the size of a page, also where mke2fs would choose smaller ones: an image of 16 MiB may grow to terabytes. */
const BLOCK_BYTES = 4_096;

export const ext4: Format = {
    packages: { e2fsprogs: "mke2fs" },
    magic: { at: 0x438, bytes: Buffer.from([0x53, 0xef]), uuidAt: 0x468 },

    make: async (path, { uuid, label }, signal) => {
        // Discarding would give reserved space back.
        const options = ["-q", "-m", "0", "-b", String(BLOCK_BYTES), "-E", "nodiscard", "-t", "ext4", "-L", label, "-U", uuid];
        await run("mke2fs", [...options, path], { signal, timeoutMs: MAKE_TIMEOUT_MS });
    },

    grow: async (device, _mountPoint, signal) => {
        try {
            await run("resize2fs", [device], { signal, timeoutMs: GROW_TIMEOUT_MS });
            return "grown";
        } catch (failure) {
            // Growing a mounted ext4 needs CAP_SYS_RESOURCE, which some containers' roots do not have.
            if (failure instanceof ProgramFailure && failure.words.includes("Permission denied to resize")) return "refused";
            throw failure;
        }
    },

    mountOptions: ["errors=remount-ro"],
    imageOptions: ["noinit_itable"],
    // Also grown there, where that could not be done in use.
    check: `ExecStart=/sbin/e2fsck $CHECK \${IMAGE}\nExecStart=-/sbin/resize2fs \${IMAGE}\nSuccessExitStatus=1\n`,
    repair: (path) => `Take the decisions that e2fsck ${path} asks for.`,
};
