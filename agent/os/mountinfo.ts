import { readFile } from "node:fs/promises";

/** A line of /proc/<pid>/mountinfo, as far as it is used here (proc(5)). */
export interface MountLine {
    readonly target: string;
    readonly type: string;
    /** `major:minor`; of btrfs one that is no block device's. */
    readonly device: string;
    /** What is mounted, as the file system calls it: `/dev/loop3`. */
    readonly source: string;
    readonly readOnly: boolean;
    /** Whether an unmount elsewhere reaches this one too. */
    readonly follows: boolean;
    /** Whether what is mounted on it, and unmounted again, is so in namespaces that were made from this one too. */
    readonly shared: boolean;
}

const OWN_MOUNTS = "/proc/self/mountinfo";

export const readMounts = async (): Promise<readonly MountLine[]> => parseMountinfo(await readFile(OWN_MOUNTS, "utf8"));

/** Lines in the order of mounting: of two on one target the later one is on top. */
export const parseMountinfo = (text: string): readonly MountLine[] => text.split("\n").flatMap(parseLine);

/** The mount that holds a path. */
export const mountOf = (path: string, mounts: readonly MountLine[]): MountLine | undefined => {
    let best: MountLine | undefined;
    for (const mount of mounts) {
        const inside = mount.target === "/" || path === mount.target || path.startsWith(`${mount.target}/`);
        if (inside && mount.target.length >= (best?.target.length ?? 0)) best = mount;
    }
    return best;
};

const parseLine = (line: string): readonly MountLine[] => {
    // id parent major:minor root target options [optional ...] - type source superOptions
    const [before, after] = line.split(" - ", 2);
    const [, , device, , target, options, ...optional] = (before ?? "").split(" ");
    const [type, source, superOptions] = (after ?? "").split(" ");
    if (device === undefined || target === undefined || options === undefined || type === undefined || source === undefined) return [];
    return [
        {
            target: unescaped(target),
            type,
            device,
            source: unescaped(source),
            readOnly: isReadOnly(options) || isReadOnly(superOptions ?? ""),
            shared: optional.some((field) => field.startsWith("shared:")),
            follows: optional.some((field) => field.startsWith("master:")),
        },
    ];
};

/** `errors=remount-ro` makes the superblock read-only (`emergency_ro` since Linux 6.16), and leaves the mount's own options alone. */
const isReadOnly = (options: string): boolean => options.split(",").some((option) => option === "ro" || option === "emergency_ro");

const unescaped = (text: string): string =>
    text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
