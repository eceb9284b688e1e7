import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { DevError } from "../dev-error.ts";
import { must, run } from "./command.ts";

export interface Loop {
    readonly device: string;
    /** This loop device's own number, `7:3`. */
    readonly number: string;
    /** Device number of the file system that holds the backing file, and the file's inode there. */
    readonly backingDevice: string;
    readonly backingInode: string;
}

const DETACH_WAIT_MS = 15_000;
const POLL_MS = 10;

/**
 * Loop devices on the image, on a file system on such a loop device and so on, and (while the host runs) on any file system that only its
 * process sees. Loop numbers are the kernel's, shared by all hosts: only what rests on these files belongs to the host. Lower ones first.
 */
export async function loopsOn(image: string, pid: number | undefined): Promise<Loop[]> {
    const loops = await allLoops();
    const imageFile = await fileOf(image);
    const grounds = new Set(pid === undefined ? [] : await ownDeviceNumbers(pid));
    const found: Loop[] = [];
    for (let grew = true; grew; ) {
        grew = false;
        for (const loop of loops) {
            if (found.includes(loop)) continue;
            if (backing(loop) !== imageFile && !grounds.has(loop.backingDevice)) continue;
            found.push(loop);
            grounds.add(loop.number);
            grew = true;
        }
    }
    return found;
}

/**
 * Waits until nothing is attached to the image, and none of the loops found while the host ran is left. One made in the host without
 * autoclear outlives it (seen), and the image would be attached twice at the next start.
 */
export async function detachLoops(image: string, seen: readonly Loop[]): Promise<void> {
    const deadline = Date.now() + DETACH_WAIT_MS;
    const wasSeen = new Set(seen.map((loop) => `${loop.device} ${backing(loop)}`));
    for (;;) {
        const onImage = (await loopsOn(image, undefined)).map((loop) => loop.device);
        const others = (await allLoops()).filter((loop) => wasSeen.has(`${loop.device} ${backing(loop)}`)).map((loop) => loop.device);
        const doomed = new Set([...others, ...onImage].reverse());
        if (doomed.size === 0) return;
        if (Date.now() > deadline) {
            const names = [...doomed].join(", ");
            throw new DevError(
                `Loop devices ${names} are still in use ${DETACH_WAIT_MS / 1000} s after the host of ${image} was switched off.`,
            );
        }
        // While a mount still goes away with its namespace, this marks the loop as autoclear; a later round sees it gone.
        for (const device of doomed) await run("losetup", ["-d", device]);
        await sleep(POLL_MS);
    }
}

const backing = (loop: Loop) => `${loop.backingDevice} ${loop.backingInode}`;

async function fileOf(path: string): Promise<string | undefined> {
    const file = await stat(path, { bigint: true }).catch(() => undefined);
    if (file === undefined) return undefined;
    const major = (file.dev >> 8n) & 0xfffn;
    const minor = (file.dev & 0xffn) | ((file.dev >> 12n) & 0xfff00n);
    return `${major}:${minor} ${file.ino}`;
}

async function ownDeviceNumbers(pid: number): Promise<readonly string[]> {
    const machine = await deviceNumbers("self");
    return [...(await deviceNumbers(String(pid)))].filter((number) => !machine.has(number));
}

async function deviceNumbers(pid: string): Promise<Set<string>> {
    const text = await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => "");
    return new Set(text.split("\n").flatMap((line) => line.split(" ")[2] ?? []));
}

interface LosetupAnswer {
    readonly loopdevices: readonly { name: string; "maj:min": string; "back-maj:min": string | null; "back-ino": number | string | null }[];
}

/** As JSON: the raw format pads and escapes its numbers. Without any loop device losetup prints nothing at all. */
async function allLoops(): Promise<Loop[]> {
    const text = await must("losetup", ["--list", "--json", "--output", "NAME,MAJ:MIN,BACK-MAJ:MIN,BACK-INO"]);
    if (text.trim() === "") return [];
    return (JSON.parse(text) as LosetupAnswer).loopdevices.map((loop) => ({
        device: loop.name,
        number: loop["maj:min"].trim(),
        backingDevice: (loop["back-maj:min"] ?? "").trim(),
        backingInode: String(loop["back-ino"] ?? ""),
    }));
}
