import type { MachineFacts } from "../../protocol/api.ts";
import type { Devices } from "./devices.ts";
import type { Files } from "./files.ts";
import type { FrontEnds } from "./front-ends.ts";
import type { Images } from "./images.ts";
import type { Loops } from "./loops.ts";
import type { Mounts } from "./mounts.ts";
import type { Ports } from "./ports.ts";
import type { Processes } from "./processes.ts";
import type { Redis } from "./redis.ts";
import type { Systemd } from "./systemd.ts";

/** The seam to kernel, systemd and packages: the only way by which drivers touch the machine. Every verb can be repeated without harm. */
export interface Os {
    readonly devices: Devices;
    readonly files: Files;
    readonly frontEnds: FrontEnds;
    readonly images: Images;
    readonly loops: Loops;
    readonly mounts: Mounts;
    readonly ports: Ports;
    readonly processes: Processes;
    readonly redis: Redis;
    readonly systemd: Systemd;
    readonly packages: Packages;
    readonly machine: Machine;
}

/** What waiting work tells and obeys. */
export interface Work {
    readonly signal: AbortSignal;
    /** `moved`: data have moved since the last word, so that whoever waits goes on waiting. */
    readonly progress: (doing: string, moved?: true) => void;
}

/** OS packages. Missing ones are installed, installed ones never upgraded. */
export interface Packages {
    /** Names of the packages whose program is not on this machine; the argument maps Debian package names to programs. */
    missing(needed: Readonly<Record<string, string>>): Promise<readonly string[]>;
    /** What a person does on this machine to have packages, as the beginning of a sentence. */
    howToInstall(names: readonly string[]): Promise<string>;
    /** Installs them, waiting for the package manager's locks. Throws PACKAGE_MISSING naming what could not be had, BUSY when a lock was not given up. */
    install(names: readonly string[], work: Work): Promise<void>;
}

/** What this machine is. */
export interface Machine {
    /** Facts that do not vary from run to run. */
    facts(): Promise<MachineFacts>;
}
