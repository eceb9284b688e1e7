import { type ErrorCode, ZeroformError } from "../../protocol/errors.ts";
import type { NodeAddress } from "../../protocol/ids.ts";
import type { Reach } from "../../schema/on-node.ts";
import { formatDuration } from "../../schema/quantity.ts";
import { type Attempt, type Patience, persist } from "./attempts.ts";
import { contact } from "./contact.ts";
import type { NodeLink, Surroundings } from "./surroundings.ts";

export interface Removal {
    readonly address: NodeAddress;
    readonly reach: Reach;
    /** URN of the Node, by which a machine that took the place of another is known. */
    readonly nodeUrn: string | undefined;
    readonly patience: Patience;
    readonly remove: (link: NodeLink, attempt: Attempt) => Promise<void>;
}

/** With leave to abandon, a node that may only be starting is given this long. */
const ABANDON_AFTER_MS = 20_000;
/** The next removal from a node that was waited for in vain looks once more, and no longer. */
const ABANDON_AGAIN_AFTER_MS = 3_000;
/** Without leave, a machine that restarts is back by then; one that is dead need not hold up a destroy for all of `timeouts.delete`. */
const UNREACHED_AFTER_MS = 60_000;
const QUESTION_MS = 30_000;

/** Nobody can say what is on the node: it is not there, does not let us in, or is not the one that is meant. */
const UNREACHABLE: ReadonlySet<ErrorCode> = new Set([
    "SSH_REFUSED",
    "SSH_TIMEOUT",
    "SSH_LOST",
    "SSH_HOST_KEY",
    "AGENT_MISSING",
    "AGENT_BROKEN",
    "STORE_CORRUPT",
    "MACHINE_CHANGED",
]);
/** What is wrong may be here: a missing key or name server says nothing of the node, so only whoever runs this may abandon it for that. */
const OWN_SIDE: ReadonlySet<ErrorCode> = new Set(["SSH_AUTH", "SSH_CONFIG", "NAME_UNKNOWN"]);
const GONE: ReadonlySet<ErrorCode> = new Set(["LIFE_UNKNOWN", "TENANT_UNKNOWN"]);

/** Removes something from a node. Absent is success; what cannot be reached is abandoned only by leave, and never in silence. */
export const remove = async (surroundings: Surroundings, removal: Removal): Promise<void> => {
    const { engine, clock, session } = surroundings;
    const { address, reach, patience } = removal;
    const policy = policyOf(surroundings, reach);
    const impatient = new AbortController();
    let [linked, asked] = [false, false];
    const limitMs = linkLimitOf(policy, patience, session.abandoned.has(address.machine));
    const giveUp = () => {
        if (policy === "abandon" || !asked) impatient.abort(new DOMException("the node was not reached", "TimeoutError"));
    };
    const takeBack = limitMs === undefined ? () => undefined : clock.after(limitMs, giveUp);
    try {
        await persist(patience, async (attempt) => {
            linked = false;
            try {
                const signal = AbortSignal.any([attempt.signal, impatient.signal]);
                const link = await contact(surroundings, reach, address, attempt, { agent: "present", signal });
                linked = true;
                asked = true;
                await removal.remove(link, attempt);
            } catch (thrown) {
                if (!(thrown instanceof ZeroformError)) throw thrown;
                throw impatient.signal.aborted && !linked ? notReached(thrown, policy) : thrown;
            }
        });
    } catch (thrown) {
        if (!(thrown instanceof ZeroformError)) throw thrown;
        if (GONE.has(thrown.code)) return;
        if (await madeAnewElsewhere(surroundings, removal, thrown)) {
            engine.warn(patience.urn, `abandoned with the machine it was on: another machine has taken the place of ${reach.host}.`);
            return;
        }
        const unreachable = UNREACHABLE.has(thrown.code) || (thrown.code === "TIMEOUT" && !linked);
        if (!unreachable && !OWN_SIDE.has(thrown.code)) throw thrown;
        if (policy === "fail" || (!unreachable && surroundings.onUnreachable !== "abandon")) throw withWayOut(thrown);
        session.abandoned.add(address.machine);
        engine.warn(patience.urn, `abandoned on ${reach.host}, where it may still be: ${thrown.message}.`);
    } finally {
        takeBack();
    }
};

const policyOf = ({ onUnreachable }: Surroundings, { onUnreachable: declared }: Reach): "fail" | "abandon" => {
    if (onUnreachable === undefined || onUnreachable === "") return declared;
    if (onUnreachable === "fail" || onUnreachable === "abandon") return onUnreachable;
    throw new ZeroformError({
        code: "INVALID",
        message: "environment variable ZEROFORM_ON_UNREACHABLE is neither abandon nor fail",
        hint: "Set it to abandon or fail, or unset it.",
    });
};

/** How long the node may stay out of reach; an own `timeouts.delete` is waited for to its end, unless it may be abandoned. */
const linkLimitOf = (policy: "fail" | "abandon", { isGiven }: Patience, isAbandoned: boolean): number | undefined => {
    if (policy === "abandon") return isAbandoned ? ABANDON_AGAIN_AFTER_MS : ABANDON_AFTER_MS;
    return isGiven ? undefined : UNREACHED_AFTER_MS;
};

const notReached = (error: ZeroformError, policy: "fail" | "abandon"): ZeroformError => {
    const facts = { ...error.facts(), retryable: false };
    if (policy === "abandon") return new ZeroformError(facts, error.cause);
    const longer = "Set timeouts.delete to wait longer.";
    const hint = error.hint === undefined ? longer : `${error.hint} ${longer}`;
    return new ZeroformError(
        { ...facts, hint, message: `${error.message} (tried for ${formatDuration(UNREACHED_AFTER_MS)})` },
        error.cause,
    );
};

const withWayOut = (error: ZeroformError): ZeroformError => {
    const out = "To give up what is on the node, run again with environment variable ZEROFORM_ON_UNREACHABLE=abandon.";
    return new ZeroformError({ ...error.facts(), hint: error.hint === undefined ? out : `${error.hint} ${out}` }, error.cause);
};

/** Whether the machine that answers in place of the old one has had the same Node created on it. */
const madeAnewElsewhere = async (surroundings: Surroundings, removal: Removal, error: ZeroformError): Promise<boolean> => {
    const { nodes, clock, session } = surroundings;
    const { nodeUrn, address, reach } = removal;
    if (nodeUrn === undefined || (error.code !== "MACHINE_CHANGED" && error.code !== "SSH_HOST_KEY")) return false;
    const way = error.code === "MACHINE_CHANGED" ? reach : await wayToSuccessor(surroundings, removal, nodeUrn);
    if (!way) return false;
    const expired = new AbortController();
    const takeBack = clock.after(QUESTION_MS, () => expired.abort());
    try {
        const link = await nodes.link(way, { agent: "present", signal: expired.signal });
        session.linked(link);
        if (link.welcome.machine === address.machine) return false;
        return (await link.request("node.known", { urn: nodeUrn }, { signal: expired.signal })).known;
    } catch {
        // Then it is not known, and the old machine counts as unreachable: the error that led here is the one to show.
        return false;
    } finally {
        takeBack();
    }
};

/** A new machine shows a new host key; the Node that was made on it has that key, when it is at the same place. */
const wayToSuccessor = async (
    { nodes, session }: Surroundings,
    { address, reach }: Removal,
    nodeUrn: string,
): Promise<Reach | undefined> => {
    const successor = session.nodeOf(nodeUrn);
    if (!successor || successor.address.machine === address.machine) return undefined;
    const [old, now] = await Promise.all([nodes.resolve(reach), nodes.resolve(successor.reach)]);
    return old.address === now.address && old.port === now.port ? successor.reach : undefined;
};
