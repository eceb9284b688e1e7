/** Where the agent lives on a node: what bootstrap puts there and the agent looks for. */
export const ROOT = "/var/lib/zeroform";

/** JavaScript runtimes by content hash: `<RUNTIMES>/<hash>/bun`. */
export const RUNTIMES = `${ROOT}/runtimes`;
/** Agent bundles by content hash: `<AGENTS>/<hash>/agent.js` beside the launcher `zeroform-agent`. */
export const AGENTS = `${ROOT}/agents`;
/** Link to the agent in use: `<CURRENT>/zeroform-agent`. */
export const CURRENT = `${ROOT}/current`;
export const LAUNCHER = `${CURRENT}/zeroform-agent`;

/** The machine's identity, as JSON. */
export const MACHINE_FILE = `${ROOT}/machine.json`;
/** Desired state. */
export const STORE_FILE = `${ROOT}/store.db`;
/** Key that seals secret fields of the store. */
export const NODE_KEY_FILE = `${ROOT}/node.key`;

/** Default pool: image files of ZMounts. */
export const POOL = `${ROOT}/pool`;
/** Mount points of ZMounts. */
export const MOUNTS = `${ROOT}/mounts`;
/** Data of Zdb servers that are not on a ZMount. */
export const ZDBS = `${ROOT}/zdb`;
/** What front ends of dispersed stores keep, which the stores can do without. */
export const ZSTORS = `${ROOT}/zstor`;
/** Parameter files and keys of services, each readable by its service only. */
export const SERVICES = `${ROOT}/services`;

/** Where our units are written. */
export const UNITS = "/etc/systemd/system";
/** The agent's own. */
export const AGENT_UNIT = "zeroform-agent.service";

export const RUN = "/run/zeroform";
/** What Zdb servers have at run time, a directory each. */
export const ZDB_RUN = "/run/zeroform-zdb";
/** What front ends of dispersed stores have at run time, a directory each. */
export const ZSTOR_RUN = "/run/zeroform-zstor";
/** Links to the block devices of ZMounts, by life; made anew whenever one is mounted. */
export const DEVICE_RUN = "/run/zeroform-devices";
/** Held by whoever installs or removes the agent. Not in RUN, which is removed with it. */
export const LOCK_FILE = "/run/zeroform-bootstrap.lock";
/** The agent's RPC socket, 0600 root. */
export const SOCKET = `${RUN}/agent.sock`;

/** Printed by `zeroform-agent rpc` before the first message, so that noise of a login shell can be skipped. */
export const RPC_MARKER = "zeroform-rpc-1\n";
