import { createHash } from "node:crypto";
import { z } from "zod";
import { AGENTS, CURRENT, LAUNCHER, ROOT, RUNTIMES, SERVICES, ZSTOR_RUN, ZSTORS } from "../../protocol/layout.ts";
import { millisecondsOf } from "../../schema/quantity.ts";
import { OF_A_SERVER, OWN_VIEW } from "../os/confinement.ts";
import type { Unit } from "../os/units.ts";
import { STOPPED_MARK } from "../os/watch.ts";
import { type CachePlace, cacheOf, type FrontEnd, type ZStor } from "./zstor-places.ts";

/** What all front ends run as. */
export const ZSTOR_USER = "zeroform-zstor";

/** With this the engine says that another front end has taken the store over. */
const SUPERSEDED_STATUS = 3;

const HOME = `${ZSTORS}/%i`;

/** What root does before a front end starts, in the machine's own view as for a Zero-DB server: what was written for it becomes its user's. */
const PREPARE = `chmod 711 ${ZSTORS} ${SERVICES}; chown -hR ${ZSTOR_USER}:${ZSTOR_USER} ${HOME} ${SERVICES}/zstor-%i.json; [ ! -d "$$CACHE" ] || { chmod 711 "$$CACHE/.."; chown -hR ${ZSTOR_USER}:${ZSTOR_USER} "$$CACHE"; }`;

/**
 * A front end that falls is started again for ever, but for one that another has taken over from: it would take the store back, and each put of
 * the other would fail. The mark of that is a file, so that it holds over a boot too.
 */
export const FRONT_END: Unit = {
    name: "zeroform-zstor@.service",
    user: ZSTOR_USER,
    text: `[Unit]
Description=zeroform: front end of dispersed store %i
RequiresMountsFor=${ROOT}
After=network.target
ConditionPathExists=!${HOME}/superseded
StartLimitIntervalSec=0
CollectMode=inactive-or-failed

[Service]
Type=exec
User=${ZSTOR_USER}
Group=${ZSTOR_USER}
ExecStartPre=+/usr/bin/nsenter --target 1 --mount /bin/sh -ec '${PREPARE}'
ExecStart=${LAUNCHER} zstor serve --config ${SERVICES}/zstor-%i.json
ExecStopPost=-/bin/sh -c '[ "$$EXIT_STATUS" != ${SUPERSEDED_STATUS} ] || : > ${HOME}/superseded'
ExecStopPost=-+/usr/bin/touch ${STOPPED_MARK}
Restart=always
RestartSec=2
RestartPreventExitStatus=${SUPERSEDED_STATUS}
TimeoutStopSec=60
RuntimeDirectory=zeroform-zstor/%i
RuntimeDirectoryMode=0700
UMask=0077
LimitNOFILE=65536
${OF_A_SERVER}`,
    // Every front end's user is the same, so what one has is closed to the others by not being there.
    ownView: `${OWN_VIEW}TemporaryFileSystem=/var/lib:ro ${ZSTOR_RUN}:ro
BindPaths=${ZSTOR_RUN}/%i ${HOME}
BindReadOnlyPaths=-${CURRENT} -${AGENTS} -${RUNTIMES}
BindReadOnlyPaths=-${SERVICES}/zstor-%i.json
`,
};

/**
 * A front end has no need of its cache: it starts without the mount, and goes on when that fails. Who unmounts it for a purpose ends the front end too, which
 * comes back without the cache until the mount is there again.
 */
export const instanceOf = ({ unit }: FrontEnd, cache: CachePlace | undefined): Unit => ({
    name: unit,
    wantedBy: "zeroform.target",
    ...(cache && {
        dropIn: `[Unit]\nPartOf=${cache.mountUnit}\nAfter=${cache.mountUnit}\n\n[Service]\nEnvironment=CACHE=${cache.directory}\n`,
        ownView: `BindPaths=-${cache.directory}\n`,
    }),
});

/** The parameters of a front end but for what it is only told once: secrets that were before. */
export const configOf = (resource: ZStor, { socket, view }: FrontEnd): string => {
    const { spec } = resource;
    if (spec.secret === undefined) throw new TypeError("a ZStor without a secret has not been admitted");
    const { backends, metadata, dataShards, parityShards, redundantGroups, redundantNodes, minParity, compression, secret } = spec;
    const layout = { dataShards, parityShards, redundantGroups, redundantNodes, minParity, compression };
    const care = { scrubMs: millisecondsOf(spec.scrub), deadAfterMs: millisecondsOf(spec.deadAfter) };
    const place = cacheOf(resource);
    const cache = place && { cache: { directory: place.directory, sizeBytes: place.sizeBytes } };
    const wanted = { secret, socket, view, metadata, backends, ...layout, ...care, ...cache };
    const revision = createHash("sha256").update(JSON.stringify(wanted)).digest("hex");
    return textOf({ ...wanted, revision });
};

/** The same for a front end whose store may still be sealed with another secret. */
export const withPrevious = (config: string, previousSecrets: readonly string[]): string =>
    previousSecrets.length === 0 ? config : textOf({ ...written.parse(JSON.parse(config)), previousSecrets });

/** All secrets of a parameter file: those that a store may be sealed with. */
export const secretsIn = (config: string | undefined): readonly string[] => {
    const { secret, previousSecrets = [] } = parsed(config) ?? {};
    return secret === undefined ? previousSecrets : [secret, ...previousSecrets];
};

/** Where the front end that follows it keeps what it has read. */
export const cacheIn = (config: string | undefined): string | undefined => parsed(config)?.cache?.directory;

/** What the front end that follows it tells by its status. */
export const revisionOf = (config: string | undefined): string | undefined => parsed(config)?.revision;

const written = z.looseObject({
    secret: z.string().optional(),
    previousSecrets: z.array(z.string()).optional(),
    revision: z.string().optional(),
    cache: z.looseObject({ directory: z.string() }).optional(),
});

const parsed = (config: string | undefined): z.infer<typeof written> | undefined => {
    if (config === undefined) return undefined;
    try {
        return written.safeParse(JSON.parse(config)).data;
    } catch {
        return undefined;
    }
};

const textOf = (value: object): string => `${JSON.stringify(value, undefined, 4)}\n`;
