import type { Caller, Settings } from "../../protocol/api.ts";
import type { CallOptions } from "../../protocol/channel.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import type { NodeAddress } from "../../protocol/ids.ts";
import { type Reach, reach as reachSchema } from "../../schema/on-node.ts";
import { millisecondsOf } from "../../schema/quantity.ts";
import type { Attempt } from "./attempts.ts";
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
    const link = await nodes
        .link(reach, { signal: attempt.signal, ...wanted, machine, onProgress: attempt.say, onMoved: attempt.moved })
        .catch((thrown: unknown) => {
            throw isBare(thrown)
                ? changed(reach, `${reach.host} has no trace of zeroform, and is not the machine this was made on`)
                : thrown;
        });
    session.linked(link);
    const { store, storeReason } = link.welcome;
    if (link.welcome.machine !== machine && store !== "ok") throw forgotten(reach, storeReason);
    if (link.welcome.machine !== machine) throw changed(reach, `another machine answers at ${reach.host} than the one this was made on`);
    return link;
};

/** An agent leaves in order only, once its engine knows that nothing is there: where none is, somebody installed the machine anew. */
const isBare = (thrown: unknown): boolean => thrown instanceof ZeroformError && thrown.code === "AGENT_GONE";

/** Without its identity and its store it cannot tell which machine it is, and has taken a new name. */
const forgotten = ({ host }: Reach, reason = "its store cannot be used") =>
    new ZeroformError({
        code: "MACHINE_CHANGED",
        message: `the agent on ${host} does not know which machine it is: ${reason}`,
        hint: "Put back machine.json, store.db and node.key in its directory from a copy and restart zeroform-agent, or change machine on its Node: all of it is then made anew, and the data that are there are never touched.",
        node: host,
    });

const changed = ({ host }: Reach, message: string) =>
    new ZeroformError({
        code: "MACHINE_CHANGED",
        message,
        hint: "If that is meant, change machine on its Node (to the new instance's id, for example), and all of it is made anew there.",
        node: host,
    });

/** Calls as this process and tenant, and notes what the machine has been told by it. */
export const asCaller = async <T>({ session }: Surroundings, address: NodeAddress, call: (caller: Caller) => Promise<T>): Promise<T> => {
    const { machine, tenant } = address;
    const seen = session.seen(machine);
    const answer = await call({ machine, tenant, seen });
    session.told(machine, seen);
    return answer;
};

export const callOptions = ({ signal, say, moved }: Attempt): CallOptions => ({
    signal,
    onProgress: (progress) => {
        say(progress.doing);
        if (progress.moved) moved();
    },
});

export const settingsOf = ({ installPackages }: Reach): Settings => ({ installPackages });

export const trashMsOf = ({ trash }: Reach): number => millisecondsOf(trash);

export const waitMsOf = (attempt: Attempt): number => Math.max(SHORTEST_WAIT_MS, attempt.remainingMs() - MARGIN_MS);
