import { randomBytes } from "node:crypto";
import { AGENTS, CURRENT, LAUNCHER, ROOT, RUN, RUNTIMES, SERVICES, ZDB_RUN } from "../../protocol/layout.ts";
import { OF_A_SERVER, OWN_VIEW } from "../os/confinement.ts";
import type { Unit } from "../os/units.ts";
import { STOPPED_MARK } from "../os/watch.ts";
import type { ZdbServer } from "./zdb-places.ts";

/** What all Zdb servers run as. */
export const ZDB_USER = "zeroform-zdb";

/**
 * What root does before a server starts. Its directories become its user's when they are not yet (new ones, and those of a release whose
 * servers ran as root): `chown -R` changes a directory after what is in it, so that one that was cut off is begun again, and it follows no
 * link. The directories lie in one of root's, so that no server can exchange them for others. Systemd gives this command the rights of root
 * and yet the server's view of /var/lib: the machine's own is that of process 1. One question decides whether all that is done already.
 */
const PARAMETERS = `${SERVICES}/zdb-%i.json ${SERVICES}/zdb-%i.key`;
const OWNED = `data index passage ${PARAMETERS}`;
const SOCKET_LINK = `${RUN}/zdb-%i.sock`;
const PREPARE = [
    'cd "$$HOME_OF_SERVER"',
    `[ "$$(stat --printf=%%U:%%G, ${OWNED})" = ${`${ZDB_USER}:${ZDB_USER},`.repeat(OWNED.split(" ").length)} ] || ` +
        `{ chmod 711 . .. ${SERVICES}; chown -hR ${ZDB_USER}:${ZDB_USER} ${OWNED}; }`,
    `[ -L ${SOCKET_LINK} ] || { mkdir -p -m 700 ${RUN}; ln -sfn ${ZDB_RUN}/%i/admin.sock ${SOCKET_LINK}; }`,
].join("; ");

/** A server that falls is started again for ever: a store that gave up at night helps nobody. What is just in time makes code in memory, so MemoryDenyWriteExecute cannot be. */
export const TEMPLATE: Unit = {
    name: "zeroform-zdb@.service",
    user: ZDB_USER,
    text: `[Unit]
Description=zeroform: Zero-DB server %i
RequiresMountsFor=${ROOT}
After=network.target
StartLimitIntervalSec=0

[Service]
Type=exec
User=${ZDB_USER}
Group=${ZDB_USER}
ExecStartPre=+/usr/bin/nsenter --target 1 --mount /bin/sh -ec '${PREPARE}'
ExecStart=${LAUNCHER} zdb --config ${SERVICES}/zdb-%i.json
ExecStopPost=-+/usr/bin/touch ${STOPPED_MARK}
Restart=always
RestartSec=1
TimeoutStopSec=60
RuntimeDirectory=zeroform-zdb/%i
RuntimeDirectoryMode=0700
UMask=0077
LimitNOFILE=262144
${OF_A_SERVER}`,
    // Every server's user is the same, so their sockets are closed to each other by not being there.
    ownView: `${OWN_VIEW}TemporaryFileSystem=/var/lib:ro ${ZDB_RUN}:ro
BindPaths=${ZDB_RUN}/%i
BindReadOnlyPaths=-${CURRENT} -${AGENTS} -${RUNTIMES}
BindReadOnlyPaths=-${SERVICES}/zdb-%i.json -${SERVICES}/zdb-%i.key
`,
};

/** What systemd has to know to bring a server up at boot, on its mount and with it only. */
export const instanceOf = ({ unit, home, mountUnit, mountPoint }: ZdbServer): Unit => ({
    name: unit,
    wantedBy: "zeroform.target",
    dropIn: `${
        mountUnit === undefined ? "" : `[Unit]\nBindsTo=${mountUnit}\nAfter=${mountUnit}\nAssertPathIsMountPoint=${mountPoint}\n\n`
    }[Service]\nEnvironment=HOME_OF_SERVER=${home}\n`,
    ownView: `BindPaths=${home}\n`,
});

/** The parameters of a server. */
export const configOf = ({ data, index, ownSocket, sealKey }: ZdbServer): string =>
    `${JSON.stringify({ data, index, "admin-socket": ownSocket, closed: true, "seal-key-file": sealKey }, undefined, 4)}\n`;

/** Of the server's own, so that who breaks into one has no key of the machine. 32 characters, as the server wants bytes. */
export const newSealKey = (): string => randomBytes(24).toString("base64");
