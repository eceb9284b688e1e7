import { constants } from "node:fs";
import { access } from "node:fs/promises";

const DIRECTORIES = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Names that a distribution has for a Debian package, where they differ. */
type Names = Readonly<Record<string, string>>;

interface PackageManager {
    readonly program: string;
    /** How a person installs with it. */
    readonly install: string;
    readonly names: Names;
}

/** Where several are there, the first one is the distribution's own. */
const MANAGERS: readonly PackageManager[] = [
    { program: "apt-get", install: "apt-get install", names: {} },
    { program: "dnf", install: "dnf install", names: { mount: "util-linux" } },
    { program: "yum", install: "yum install", names: { mount: "util-linux" } },
    { program: "zypper", install: "zypper install", names: { mount: "util-linux", "btrfs-progs": "btrfsprogs" } },
    { program: "pacman", install: "pacman -S", names: { mount: "util-linux" } },
];

/** The package manager of this machine; undefined: one that is not known here. */
export const packageManager = async (): Promise<PackageManager | undefined> => {
    for (const manager of MANAGERS) if (await isThere(manager.program)) return manager;
    return undefined;
};

/** What a person does on this machine to have packages, which are given by their Debian names. */
export const howToInstall = async (packages: readonly string[]): Promise<string> => {
    const manager = await packageManager();
    if (manager === undefined) return `Install ${packages.join(", ")} on the node (so Debian calls them)`;
    const names = new Set(packages.map((name) => manager.names[name] ?? name));
    return `Run \`${manager.install} ${[...names].join(" ")}\` on the node`;
};

/** Whether a program of the system is on this machine. */
export const isThere = async (program: string): Promise<boolean> => {
    for (const directory of DIRECTORIES) if (await isExecutable(`${directory}/${program}`)) return true;
    return false;
};

const isExecutable = (path: string): Promise<boolean> =>
    access(path, constants.X_OK).then(
        () => true,
        () => false,
    );
