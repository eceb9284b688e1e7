import { existsSync, readFileSync } from "node:fs";
import { isMachineId, type MachineId } from "../../protocol/ids.ts";
import { writeDurably } from "./durable-file.ts";

/** What tells this hardware and this installation from their copies. */
export interface Fingerprint {
    /** /etc/machine-id; undefined: this machine has none yet. */
    readonly etcMachineId?: string | undefined;
    /** The DMI product uuid; undefined: the hardware has none, or hides it. */
    readonly dmiUuid?: string | undefined;
}

/** machine.json: who this machine is. */
export interface MachineRecord extends Fingerprint {
    readonly machine: MachineId;
    /** ISO 8601 */
    readonly createdAt: string;
}

/** undefined: there is none. Throws when what is there is none. */
export const readMachine = (path: string): MachineRecord | undefined => {
    if (!existsSync(path)) return undefined;
    const record: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof record === "object" && record !== null && "machine" in record && isMachineId(String(record.machine)))
        return record as MachineRecord;
    throw new Error("it holds no machine id");
};

export const writeMachine = (path: string, record: MachineRecord): void => writeDurably(path, `${JSON.stringify(record, undefined, 4)}\n`);

/** What is another one than was recorded, in words; undefined: all that is known on both sides is the same. */
export const differing = (record: Fingerprint, now: Fingerprint): string | undefined => {
    const differs = (was: string | undefined, is: string | undefined) => was !== undefined && is !== undefined && was !== is;
    if (differs(record.etcMachineId, now.etcMachineId)) return "/etc/machine-id";
    return differs(record.dmiUuid, now.dmiUuid) ? "the DMI product uuid" : undefined;
};
