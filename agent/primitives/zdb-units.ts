import { LAUNCHER, NODE_KEY_FILE, ROOT, SERVICES } from "../../protocol/layout.ts";
import type { Unit } from "../os/units.ts";
import { STOPPED_MARK } from "../os/watch.ts";
import type { ZdbServer } from "./zdb-places.ts";

/** A server that falls is started again for ever: a store that gave up at night helps nobody. */
export const TEMPLATE: Unit = {
    name: "zeroform-zdb@.service",
    text: `[Unit]
Description=zeroform: Zero-DB server %i
RequiresMountsFor=${ROOT}
After=network.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${LAUNCHER} zdb --config ${SERVICES}/zdb-%i.json
ExecStopPost=-/usr/bin/touch ${STOPPED_MARK}
Restart=always
RestartSec=1
TimeoutStopSec=60
RuntimeDirectory=zeroform
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
UMask=0077
LimitNOFILE=262144
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
LogRateLimitIntervalSec=30
LogRateLimitBurst=200
`,
};

/** What systemd has to know to bring a server up at boot, on its mount and with it only. */
export const instanceOf = ({ unit, mountUnit, mountPoint }: ZdbServer): Unit => ({
    name: unit,
    wantedBy: "zeroform.target",
    ...(mountUnit === undefined
        ? {}
        : { dropIn: `[Unit]\nBindsTo=${mountUnit}\nAfter=${mountUnit}\nAssertPathIsMountPoint=${mountPoint}\n` }),
});

/** The parameters of a server. */
export const configOf = ({ data, index, adminSocket }: ZdbServer): string =>
    `${JSON.stringify({ data, index, "admin-socket": adminSocket, closed: true, "seal-key-file": NODE_KEY_FILE }, undefined, 4)}\n`;
