import { DEVICE_RUN, ROOT, SERVICES } from "../../protocol/layout.ts";
import { WITHOUT_PRIVILEGES } from "../os/confinement.ts";
import { formats } from "../os/formats/index.ts";
import type { Unit } from "../os/units.ts";
import { devicePlacesOf, uuidOfLife } from "./zmount-device-record.ts";
import type { DeviceMount } from "./zmount-places.ts";
import { CHECK, mountUnit } from "./zmount-units.ts";

/** Where the program says when that has our file system, else the one device that has: disks change their names from boot to boot. */
const FIND = [
    `link=${DEVICE_RUN}/%i`,
    `rm -f "$link"`,
    `at=$(readlink -e "$DEVICE" || :)`,
    `if test "$(blkid -p -o value -s UUID "$at" || :)" != "$UUID"`,
    `then at=$(blkid -c /dev/null -o device -t "UUID=$UUID" || :)`,
    "fi",
    `if ! test -b "$at"`,
    `then echo "not one device, but these, have the file system $UUID that was made on $DEVICE: $at" >&2`,
    "exit 1",
    "fi",
    `mkdir -p -m 700 ${DEVICE_RUN}`,
    `ln -s "$at" "$link"`,
].join("; ");

/** Finds the device of a ZMount before it is checked and mounted. A link, since a mount unit of a device by name waits for udev, which not every machine has. */
const DEVICE: Unit = {
    name: "zeroform-device@.service",
    text: `[Unit]
Description=zeroform: device of ZMount %i
RequiresMountsFor=${ROOT}
Before=zeroform-fsck@%i.service
StartLimitIntervalSec=0

[Service]
Type=oneshot
EnvironmentFile=${SERVICES}/zmount-%i.env
ExecStart=/bin/sh -euc '${FIND}'
TimeoutStartSec=infinity
RestrictAddressFamilies=AF_UNIX
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH
${WITHOUT_PRIVILEGES}`,
};

/** What systemd has to know to bring it up at boot. */
export const deviceMountUnitFor = (resource: DeviceMount): Unit => {
    const { filesystem } = resource.spec;
    const places = devicePlacesOf(resource);
    const { check, mountOptions } = formats[filesystem];
    const unit = mountUnit(filesystem, places, {
        what: places.link,
        options: ["nodev", "nosuid", ...mountOptions],
        first: [places.deviceUnit, ...(check === undefined ? [] : [places.checkUnit])],
        ground: "",
    });
    // A disk that appears after the boot has looked for it is mounted when udev has seen it.
    return { ...unit, wantedByDevice: `dev-disk-by\\x2duuid-${uuidOfLife(resource.life).replaceAll("-", "\\x2d")}.device` };
};

/** Everything that systemd needs for a ZMount on a device. */
export const deviceUnitsFor = (resource: DeviceMount): readonly Unit[] => [
    DEVICE,
    ...(formats[resource.spec.filesystem].check === undefined ? [] : [CHECK]),
    deviceMountUnitFor(resource),
];
