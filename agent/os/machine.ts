import { readFileSync } from "node:fs";
import { machine as architecture, cpus, release, totalmem, uptime } from "node:os";
import type { Boot } from "../clock.ts";
import { controllers } from "./confinement.ts";
import { files } from "./files.ts";
import type { Machine } from "./os.ts";

const BLOCK_DEVICES = "/sys/block";
/** Block devices that come and go with what runs on the machine, or hold no disk of it. */
const NO_DISK = /^(loop|ram|zram|nbd|sr|fd|dm-|md|drbd|rbd)/;
/** /sys/block/<name>/size counts in these, whatever the device. */
const SECTOR_BYTES = 512;

const disks = async (): Promise<readonly { readonly name: string; readonly bytes: number }[]> => {
    const names = (await files.list(BLOCK_DEVICES)).filter((name) => !NO_DISK.test(name)).sort();
    const sizes = await Promise.all(names.map((name) => files.readText(`${BLOCK_DEVICES}/${name}/size`)));
    return names.map((name, index) => ({ name, bytes: Number(sizes[index] ?? 0) * SECTOR_BYTES })).filter(({ bytes }) => bytes > 0);
};

/** What this machine is: facts that do not vary from run to run. */
export const machine: Machine = {
    facts: async () => ({
        arch: architecture(),
        kernel: release(),
        cores: cpus().length,
        memory: totalmem(),
        disks: await disks(),
        controllers: await controllers(),
    }),
};

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** What tells this boot from others, and how long ago it was when this process started. */
export const boot = (): Boot => ({ id: firstLine(BOOT_ID), uptimeMs: uptime() * 1_000 - performance.now() });

const ETC_MACHINE_ID = "/etc/machine-id";
const DMI_UUID = "/sys/class/dmi/id/product_uuid";
/** What firmware says that was given no uuid. */
const NO_UUID = /^(0+|f+)$/;

/** What tells this installation and this hardware from their copies; what cannot be read is left out. */
export const fingerprint = (): { readonly etcMachineId?: string; readonly dmiUuid?: string } => {
    const etcMachineId = firstLine(ETC_MACHINE_ID);
    const dmiUuid = firstLine(DMI_UUID)?.toLowerCase();
    return {
        ...(etcMachineId !== undefined && /^[0-9a-f]{32}$/.test(etcMachineId) ? { etcMachineId } : {}),
        ...(dmiUuid !== undefined && !NO_UUID.test(dmiUuid.replaceAll("-", "")) ? { dmiUuid } : {}),
    };
};

const firstLine = (path: string): string | undefined => {
    try {
        const line = readFileSync(path, "utf8").trim();
        return line === "" ? undefined : line;
    } catch {
        // No such file, or a container that hides it: the machine cannot be told apart by it.
        return undefined;
    }
};
