import { readFile, writeFile } from "node:fs/promises";
import { absentAs } from "./files.ts";
import { ProgramFailure, run } from "./program.ts";

/** A loop device that is attached to a file. */
export interface Loop {
    /** `/dev/loop3` */
    readonly device: string;
    /** Device number as `major:minor`. */
    readonly number: string;
    readonly bytes: number;
    /** Path of the backing file as the kernel shows it. */
    readonly backingFile: string;
    /** Whether the kernel passes discards on, which give reserved space away. */
    readonly discards: boolean;
}

/** Block devices over files. */
export interface Loops {
    /** The loop of a device number such as `7:3`; undefined when that is none, or is attached to nothing. */
    byNumber(number: string): Promise<Loop | undefined>;
    /** The loops on a file, found by its device and inode, whatever name it was attached by. */
    ofFile(path: string): Promise<readonly Loop[]>;
    /** Makes a loop as large as its file has become. */
    adoptSize(loop: Loop): Promise<void>;
    /** Keeps holes from being punched into the backing file. */
    keepReserved(loop: Loop): Promise<void>;
    /** One that has ended already is fine. */
    detach(loop: Loop): Promise<void>;
}

/** /sys counts in these, whatever the block size of the device. */
const SECTOR_BYTES = 512;

export const loops: Loops = {
    byNumber: async (number) => {
        const sys = `/sys/dev/block/${number}`;
        const backingFile = await attribute(`${sys}/loop/backing_file`);
        if (backingFile === undefined) return undefined;
        const [sectors, discards, event] = await Promise.all([
            attribute(`${sys}/size`),
            attribute(`${sys}/queue/discard_max_bytes`),
            attribute(`${sys}/uevent`),
        ]);
        const name = /^DEVNAME=(.+)$/m.exec(event ?? "")?.[1];
        if (name === undefined) return undefined;
        return {
            device: `/dev/${name}`,
            number,
            bytes: Number(sectors ?? 0) * SECTOR_BYTES,
            backingFile,
            discards: discards !== undefined && discards !== "0",
        };
    },

    ofFile: async (path) => {
        const { stdout } = await run("losetup", ["--associated", path, "--noheadings", "--output", "MAJ:MIN"]);
        const numbers = stdout.split("\n").flatMap((line) => line.trim() || []);
        const found = await Promise.all(numbers.map((number) => loops.byNumber(number)));
        return found.filter((loop) => loop !== undefined);
    },

    adoptSize: async (loop) => {
        await run("losetup", ["--set-capacity", loop.device]);
    },

    keepReserved: async (loop) => {
        await writeFile(`/sys/dev/block/${loop.number}/queue/discard_max_bytes`, "0");
    },

    detach: async (loop) => {
        try {
            await run("losetup", ["--detach", loop.device]);
        } catch (failure) {
            // It ended by itself since it was seen, with its last user (ENXIO).
            if (!(failure instanceof ProgramFailure && failure.words.includes("No such device"))) throw failure;
        }
    },
};

/** An attribute of a device that may vanish while it is read. */
const attribute = async (path: string): Promise<string | undefined> => (await absentAs(undefined, () => readFile(path, "utf8")))?.trim();
