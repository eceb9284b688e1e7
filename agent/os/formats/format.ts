import { open } from "node:fs/promises";
import { absentAs } from "../files.ts";

/** What a new file system is told to call itself. Its programs use a label instead of the path in what they say; empty: none. */
export interface Identity {
    readonly uuid: string;
    readonly label: string;
}

/** How one file system is made, known again, mounted and grown. */
export interface Format {
    /** OS packages that bring its programs, by their Debian names, each with a program that tells that it is there. */
    readonly packages: Readonly<Record<string, string>>;
    /** The bytes by which it is known, where they lie, and where its UUID does. */
    readonly magic: { readonly at: number; readonly bytes: Buffer; readonly uuidAt: number };
    /** Makes an empty one over all of a file or device. Never gives reserved space back. */
    make(path: string, identity: Identity, signal: AbortSignal): Promise<void>;
    /** Makes the mounted one as large as its device; as large already is fine. `refused`: the kernel does not let this system do so. */
    grow(device: string, mountPoint: string, signal: AbortSignal): Promise<"grown" | "refused">;
    /** What it is mounted with beside what every ZMount is. */
    readonly mountOptions: readonly string[];
    /** The kernel refuses to grow it to fewer bytes than these. */
    readonly growsTo?: number;
    /** What it is mounted with besides in an image, whose reserved space reads as zeros. */
    readonly imageOptions: readonly string[];
    /** Lines of the unit that checks it before it is mounted, for a file system whose maintainers want that; `$IMAGE` is where it lies. */
    readonly check?: string;
    /** What to do, by hand, about one that is broken. */
    readonly repair: (path: string) => string;
}

/** Making a file system is a matter of a few megabytes, unless the disk is sick. */
export const MAKE_TIMEOUT_MS = 300_000;
/** Growing one writes the structures of the new part. */
export const GROW_TIMEOUT_MS = 300_000;

const UUID_BYTES = 16;

/** The UUID of a file system of this format in a file or on a device; undefined: there is none. */
export const uuidIn = async (path: string, { magic }: Format): Promise<string | undefined> =>
    absentAs(undefined, async () => {
        const handle = await open(path, "r");
        try {
            const read = async (at: number, bytes: number) => {
                const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, at);
                return bytesRead === bytes ? buffer : undefined;
            };
            if (!(await read(magic.at, magic.bytes.length))?.equals(magic.bytes)) return undefined;
            const uuid = (await read(magic.uuidAt, UUID_BYTES))?.toString("hex");
            return uuid?.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
        } finally {
            await handle.close();
        }
    });
