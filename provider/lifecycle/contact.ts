import type { Caller, Settings } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import type { NodeAddress } from "../../protocol/ids.ts";
import { type Reach, reach as reachSchema } from "../../schema/on-node.ts";
import { millisecondsOf } from "../../schema/quantity.ts";
import type { Attempt } from "./attempts.ts";
import type { Reading } from "./operations.ts";
import type { LinkOptions, NodeLink, Surroundings } from "./surroundings.ts";

/** The agent is left time to say what is unfinished before the caller gives up. */
const MARGIN_MS = 3_000;
const SHORTEST_WAIT_MS = 1_000;

/** How a machine is reached, from a Node's own properties or from the `connection` of a resource on it. */
export const reachFrom = (properties: unknown): Reach => {
    const { success, data, error } = reachSchema.safeParse(properties);
    if (success) return data;
    const path = error.issues[0]?.path.join(".") ?? "";
    throw new ZeroformError({
        code: "INVALID",
        message: `how the node is reached is not known: ${path === "" ? "connection" : path} is missing or wrong`,
        hint: "Make the resource with its class in zeroform.",
    });
};

/** A link to the very machine that is meant. */
export const contact = async (
    { nodes, session }: Surroundings,
    reach: Reach,
    { machine }: NodeAddress,
    attempt: Attempt,
    wanted: Pick<LinkOptions, "agent" | "version" | "signal"> = { agent: "present" },
): Promise<NodeLink> => {
    const link = await nodes.link(reach, { signal: attempt.signal, ...wanted, onProgress: attempt.say });
    session.linked(link);
    if (link.welcome.machine !== machine)
        throw new ZeroformError({
            code: "MACHINE_CHANGED",
            message: `another machine answers at ${reach.host} than the one this was made on`,
            hint: "If that is meant, change machine on its Node (to the new instance's id, for example), and all of it is made anew there.",
            node: reach.host,
        });
    return link;
};

/** The very machine that was meant answers, and no trace of an agent is on it: what was made there is gone. */
export const isBare = ({ hostKey }: Reach, thrown: unknown): boolean =>
    hostKey !== undefined && thrown instanceof ZeroformError && thrown.code === "AGENT_GONE";

/** A question to a machine on which nothing can be any more is answered. */
export const absentWhenBare = async (reach: Reach, reading: Promise<Reading>): Promise<Reading> => {
    try {
        return await reading;
    } catch (thrown) {
        if (isBare(reach, thrown)) return { found: false };
        throw thrown;
    }
};

/** Calls as this process and tenant, and notes what the machine has been told by it. */
export const asCaller = async <T>({ session }: Surroundings, address: NodeAddress, call: (caller: Caller) => Promise<T>): Promise<T> => {
    const { machine, tenant } = address;
    const seen = session.seen(machine);
    const answer = await call({ machine, tenant, seen });
    session.told(machine, seen);
    return answer;
};

export const callOptions = ({ signal, say }: Attempt) => ({ signal, onProgress: ({ doing }: { readonly doing: string }) => say(doing) });

export const settingsOf = ({ installPackages }: Reach): Settings => ({ installPackages });

export const trashMsOf = ({ trash }: Reach): number => millisecondsOf(trash);

export const waitMsOf = (attempt: Attempt): number => Math.max(SHORTEST_WAIT_MS, attempt.remainingMs() - MARGIN_MS);
