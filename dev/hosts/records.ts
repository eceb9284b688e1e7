import { readFile, rename, writeFile } from "node:fs/promises";

export interface SetRecord {
    /** The third number of its network 10.199.<network>.0/24. */
    readonly network: number;
}

export interface HostRecord {
    readonly diskBytes: number;
    /** Its public ed25519 host key, `ssh-ed25519 <base64>`. */
    readonly hostKey: string;
    /** The cable is pulled, also over a power cycle. */
    readonly cut: boolean;
}

/** The record, or undefined where there is none; a damaged one counts as none, as its owner writes it in one step. */
export async function readRecord<T extends SetRecord | HostRecord>(file: string): Promise<T | undefined> {
    try {
        return JSON.parse(await readFile(file, "utf8")) as T;
    } catch {
        return undefined;
    }
}

export async function writeRecord(file: string, record: SetRecord | HostRecord): Promise<void> {
    await writeFile(`${file}.new`, `${JSON.stringify(record)}\n`);
    await rename(`${file}.new`, file);
}
