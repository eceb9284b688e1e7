import { AGENT_UNIT, LAUNCHER } from "../../protocol/layout.ts";
import { namespaceOf, serverOf, type Zdb } from "./zdb-places.ts";
import type { Info } from "./zdb-properties.ts";
import { ZDB_USER } from "./zdb-units.ts";

/** In which states a log is that nothing but a repair makes whole. A disk that fails is tried again by the server itself. */
const DAMAGED = /the log is damaged|the log cannot be understood|its log has no segment/;

/** What a person does about it: the agent would start the server again, and files of another user would be closed to it. */
export const repairOf = (resource: Zdb): string => {
    const { unit, data, index } = serverOf(resource);
    const repair = `runuser -u ${ZDB_USER} -- ${LAUNCHER} zdb repair ${data} --index ${index} --namespace ${namespaceOf(resource)}`;
    return (
        `on the node, \`systemctl stop ${AGENT_UNIT} ${unit}\`, then \`${repair}\` says what can be had back and what is lost, ` +
        `\`--apply\` behind it repairs it, and \`systemctl start ${unit} ${AGENT_UNIT}\` goes on`
    );
};

/** The state of a namespace that is not well, and what to do where that is for a person. */
export const stateInWords = (resource: Zdb, state: string): string => (DAMAGED.test(state) ? `${state}; ${repairOf(resource)}` : state);

/** What the slow reading of its files has found: everything else is served. */
export const scrubbed = (resource: Zdb, info: Info): readonly string[] => {
    const damaged = /^(\d+) damaged/.exec(info.get("scrub") ?? "")?.[1];
    if (damaged === undefined) return [];
    return [`${damaged} of its records on the disk are damaged, and keys that they hold answer an error: ${repairOf(resource)}`];
};
