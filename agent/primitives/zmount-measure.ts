import type { FamilyNamed } from "../../protocol/metrics.ts";
import { bytesOf } from "../../schema/quantity.ts";
import type { Os } from "../os/os.ts";
import type { Measurement } from "./driver.ts";
import { mountPointOf, type ZMount } from "./zmount-places.ts";

const family = (name: string, help: string): FamilyNamed => ({ name, help, type: "gauge" });
const SIZE = family("zeroform_zmount_size_bytes", "Bytes that a ZMount shall have in its pool; none of one on a device.");
const CAPACITY = family("zeroform_zmount_capacity_bytes", "Bytes that the file system of a ZMount can hold.");
const AVAILABLE = family("zeroform_zmount_available_bytes", "Bytes that may still be written to a ZMount.");
const USED = family("zeroform_zmount_used_bytes", "Bytes of a ZMount's file system that are taken, what is set aside for root included.");

/** Sizes of all ZMounts, and how full those are that are mounted. */
export const measureZMounts = async (os: Os, resources: readonly ZMount[]): Promise<readonly Measurement[]> => {
    const mounts = await os.mounts.list();
    const measured = await Promise.all(
        resources.map(async (resource): Promise<readonly Measurement[]> => {
            // What a device has is for its owner to know.
            const size = resource.spec.size === undefined ? [] : [{ family: SIZE, resource, value: bytesOf(resource.spec.size) }];
            const mountPoint = mountPointOf(resource.life);
            // Between the two looks it may have gone.
            const found = mounts.has(mountPoint) ? await os.files.fileSystem(mountPoint).catch(() => undefined) : undefined;
            if (found === undefined) return size;
            return [
                ...size,
                { family: CAPACITY, resource, value: found.totalBytes },
                { family: AVAILABLE, resource, value: found.freeBytes },
                { family: USED, resource, value: found.totalBytes - found.freeBytes },
            ];
        }),
    );
    return measured.flat();
};
