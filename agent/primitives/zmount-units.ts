import { ROOT, SERVICES } from "../../protocol/layout.ts";
import type { Filesystem } from "../../schema/zmount.ts";
import { WITHOUT_PRIVILEGES } from "../os/confinement.ts";
import { formats } from "../os/formats/index.ts";
import type { Os } from "../os/os.ts";
import type { Unit } from "../os/units.ts";
import { type Places, placesOf, type ZMount } from "./zmount-places.ts";

/**
 * Checks an image before it is mounted, and makes its file system as large as the image where that could not be done in use.
 * Left out while a loop is on the image: then its file system is alive, and e2fsck would be a second writer.
 */
export const CHECK: Unit = {
    name: "zeroform-fsck@.service",
    text: `[Unit]
Description=zeroform: check of ZMount %i
RequiresMountsFor=${ROOT}
StartLimitIntervalSec=0

[Service]
Type=oneshot
EnvironmentFile=${SERVICES}/zmount-%i.env
ExecCondition=/bin/sh -c 'test -z "$(losetup --associated "$IMAGE")"'
${formats.ext4.check}TimeoutStartSec=infinity
RestrictAddressFamilies=AF_UNIX
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_SYS_ADMIN CAP_SYS_RESOURCE
${WITHOUT_PRIVILEGES}`,
};

/** What systemd has to know to bring a ZMount up at boot. */
export const mountUnitFor = (resource: ZMount, places = placesOf(resource)): Unit => {
    const { filesystem } = resource.spec;
    const { check, mountOptions, imageOptions } = formats[filesystem];
    return mountUnit(filesystem, places, {
        what: places.image,
        options: ["loop", "nodev", "nosuid", ...imageOptions, ...mountOptions],
        first: check === undefined ? [] : [places.checkUnit],
        ground: `RequiresMountsFor=${places.directory}\n`,
    });
};

interface Mounting {
    readonly what: string;
    readonly options: readonly string[];
    /** Units that have to have succeeded each time before it is mounted. */
    readonly first: readonly string[];
    /** A line that says what it lies on. */
    readonly ground: string;
}

/** Without the default dependencies, which order mounts before local-fs.target and so before what is `first` can run. */
export const mountUnit = (
    filesystem: Filesystem,
    { mountPoint, mountUnit: name }: Pick<Places, "mountPoint" | "mountUnit">,
    { what, options, first, ground }: Mounting,
): Unit => ({
    name,
    wantedBy: "zeroform.target",
    text: `[Unit]
Description=zeroform: ZMount at ${mountPoint}
DefaultDependencies=no
Conflicts=umount.target
Before=umount.target
${first.length === 0 ? "" : `Requires=${first.join(" ")}\n`}After=${["local-fs.target", ...first].join(" ")}
${ground}StartLimitIntervalSec=0

[Mount]
What=${what}
Where=${mountPoint}
Type=${filesystem}
Options=${options.join()}
`,
});

/** Everything that systemd needs for a ZMount. */
export const unitsFor = (resource: ZMount): readonly Unit[] => {
    const checked = formats[resource.spec.filesystem].check !== undefined;
    return checked ? [CHECK, mountUnitFor(resource)] : [mountUnitFor(resource)];
};

/** What the check of an image is told, and what is known about it. */
export interface ImageRecord {
    /** The live one, whatever else there is. */
    readonly image: string;
    /** A second file of it: a copy in the pool that it is moved to, or what is left in the one that it was moved from. Never live. */
    readonly other?: string | undefined;
    /** Size of the image up to which its file system has been grown. */
    readonly grownTo: number | undefined;
    /** `full`: before the file system is grown while it is not in use; resize2fs wants it checked whatever its journal says. */
    readonly check: "quick" | "full";
}

export const formatRecord = ({ image, other, grownTo, check }: ImageRecord): string =>
    [
        `IMAGE=${image}`,
        `CHECK=${check === "full" ? "-fp" : "-p"}`,
        ...(grownTo === undefined ? [] : [`GROWN_TO=${grownTo}`]),
        ...(other === undefined ? [] : [`OTHER=${other}`]),
        "",
    ].join("\n");

/** The lines of a record by their names. */
export const fieldsOf = (text: string | undefined): ReadonlyMap<string, string> =>
    new Map((text ?? "").split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));

export const parseRecord = (text: string | undefined): ImageRecord | undefined => {
    const fields = fieldsOf(text);
    const image = fields.get("IMAGE");
    if (image === undefined) return undefined;
    const grownTo = Number(fields.get("GROWN_TO") ?? Number.NaN);
    const other = fields.get("OTHER");
    return {
        image,
        ...(other !== undefined && { other }),
        grownTo: Number.isNaN(grownTo) ? undefined : grownTo,
        check: fields.get("CHECK") === "-fp" ? "full" : "quick",
    };
};

/** The places of an image that lies where its record says. */
export const actualPlaces = (places: Places, { image }: Pick<ImageRecord, "image">): Places => {
    const directory = image.slice(0, image.lastIndexOf("/"));
    return { ...places, directory, image, marker: `${directory}/.pool` };
};

export const readRecord = async (places: Pick<Places, "record">, os: Os): Promise<ImageRecord | undefined> =>
    parseRecord(await os.files.readText(places.record));

export const writeRecord = (record: ImageRecord, places: Pick<Places, "record">, os: Os): Promise<void> =>
    os.files.writeText(places.record, formatRecord(record));

/** Notes how far the live image is; whatever else is known of it stays. */
export const noteImage = async (places: Places, note: Pick<ImageRecord, "grownTo" | "check">, os: Os): Promise<void> => {
    const known = await readRecord(places, os);
    await writeRecord({ ...known, image: places.image, ...note }, places, os);
};
