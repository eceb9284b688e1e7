import type { Machine } from "../e2e/hosts.ts";
import type { Random } from "./random.ts";

export interface WantedDisk {
    readonly name: string;
    readonly sizeMiB: number;
    /** Takes this block device as it is, and not so much of a pool. */
    readonly device?: string;
}

export interface WantedZdb {
    readonly name: string;
    readonly sizeMiB: number;
    /** Name of the disk that it is on; left out: the agent's own directory. */
    readonly disk?: string;
}

/** A program as data: what one Node shall have. Never empty, so that there is always something to lose. */
export interface Wanted {
    readonly machine: Machine;
    /** Longest time of each operation. */
    readonly patience: string;
    readonly disks: readonly WantedDisk[];
    readonly zdbs: readonly WantedZdb[];
    /** A disk of the host that a ZMount may take as a whole. */
    readonly device?: string;
}

const DISKS_MAX = 2;
const ZDBS_MAX = 4;
const GROWTH_MIB = 16;

/** What a program begins with: a store on a disk, and one beside it. */
export const firstWanted = (machine: Machine, random: Random, device?: string): Wanted => {
    const wanted: Wanted = {
        machine,
        patience: "2m",
        disks: [{ name: "disk", sizeMiB: random.pick([32, 48]) }],
        zdbs: [
            { name: "on-disk", sizeMiB: 8, disk: "disk" },
            { name: "beside", sizeMiB: 8 },
        ],
    };
    return device === undefined ? wanted : takeDevice({ ...wanted, device }, device, "first");
};

const takeDevice = (wanted: Wanted, device: string, name: string): Wanted => ({
    ...wanted,
    disks: [...wanted.disks, { name: `whole-${name}`, sizeMiB: 0, device }],
    zdbs: [...wanted.zdbs, { name: `on-whole-${name}`, sizeMiB: 4, disk: `whole-${name}` }],
});

/** The next version of the program: something grows, and perhaps something comes or goes. `serial` makes new names. */
export const nextWanted = (wanted: Wanted, random: Random, serial: number): Wanted => {
    const changes = random.chance(0.5) ? [grow, random.pick([add, remove])] : [random.pick([grow, add, remove])];
    return changes.reduce((now, change) => change(now, random, serial), wanted);
};

const grow = (wanted: Wanted, random: Random): Wanted => {
    const index = random.whole(0, wanted.disks.length - 1);
    const disks = wanted.disks.map((disk, at) =>
        at === index && disk.device === undefined ? { ...disk, sizeMiB: disk.sizeMiB + GROWTH_MIB } : disk,
    );
    const zdbs = wanted.zdbs.map((zdb) => (random.chance(0.3) ? { ...zdb, sizeMiB: zdb.sizeMiB + 1 } : zdb));
    return { ...wanted, disks, zdbs };
};

const add = (wanted: Wanted, random: Random, serial: number): Wanted => {
    if (wanted.disks.length < DISKS_MAX && random.chance(0.4)) {
        if (wanted.device !== undefined) return takeDevice(wanted, wanted.device, `r${serial}`);
        const disk = { name: `disk-r${serial}`, sizeMiB: 32 };
        return {
            ...wanted,
            disks: [...wanted.disks, disk],
            zdbs: [...wanted.zdbs, { name: `zdb-r${serial}`, sizeMiB: 4, disk: disk.name }],
        };
    }
    if (wanted.zdbs.length >= ZDBS_MAX) return remove(wanted, random);
    const on = random.chance(0.5) ? wanted.disks[random.whole(0, wanted.disks.length - 1)] : undefined;
    return { ...wanted, zdbs: [...wanted.zdbs, { name: `zdb-r${serial}`, sizeMiB: 4, ...(on && { disk: on.name }) }] };
};

/** The first disk and its store stay: what was written to them first is what is judged last. */
const remove = (wanted: Wanted, random: Random): Wanted => {
    const [, ...others] = wanted.disks;
    const disk = others[0];
    if (disk && random.chance(0.4))
        return {
            ...wanted,
            disks: wanted.disks.filter((each) => each !== disk),
            zdbs: wanted.zdbs.filter((zdb) => zdb.disk !== disk.name),
        };
    const [first, ...zdbs] = wanted.zdbs;
    const gone = zdbs[random.whole(0, zdbs.length - 1)];
    return gone && first ? { ...wanted, zdbs: [first, ...zdbs.filter((zdb) => zdb !== gone)] } : wanted;
};
