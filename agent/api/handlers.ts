import type { Method, Params, Result } from "../../protocol/api.ts";
import type { Handlers, ServerCall } from "../../protocol/channel.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import type { SessionId } from "../../protocol/ids.ts";
import { PROTOCOLS_UNDERSTOOD } from "../../protocol/version.ts";
import type { Agent } from "../agent.ts";
import { confirm } from "./caller.ts";
import type { Call, Core } from "./core.ts";
import { createResource } from "./create-resource.ts";
import { deleteResource } from "./delete-resource.ts";
import { discloseTenant } from "./disclose-tenant.ts";
import { eventsOf } from "./events.ts";
import { evictTenant } from "./evict-tenant.ts";
import { holdingsOf } from "./holdings.ts";
import { metered } from "./metered.ts";
import { metricsOf } from "./metrics.ts";
import { createNode, deleteNode, knownNode, readNode, updateNode } from "./nodes.ts";
import { purgeTrash } from "./purge-trash.ts";
import { readResource } from "./read-resource.ts";
import { renameTenant } from "./rename-tenant.ts";
import { statusOf } from "./status.ts";
import { listTrash, restoreTrash } from "./trash.ts";
import { updateResource } from "./update-resource.ts";

/** Who is at the other end of a channel. */
export interface Peer {
    /** What both ends speak; undefined when there is nothing. */
    readonly protocol: number | undefined;
    readonly session: SessionId | undefined;
    /** What tells this channel from the others. */
    readonly channel: object;
}

/** Every method of the protocol, for one channel. */
export const handlersFor = (agent: Agent, peer: Peer): Handlers => {
    const { channel, session } = peer;
    const operation =
        <M extends Method>(act: (core: Core, params: Params<M>, call: Call) => Promise<Result<M>>) =>
        (params: Params<M>, call: ServerCall) =>
            understood(peer, async () => {
                const caller = agent.callOf(session, call);
                const { core } = agent;
                if ("caller" in params) core.sessions.worksFor(caller.session, params.caller.tenant);
                return core.store.durably(() => act(core, params, caller));
            });
    const question =
        <M extends Method>(act: (core: Core, params: Params<M>) => Promise<Result<M>>) =>
        (params: Params<M>) =>
            understood(peer, async () => {
                const { core } = agent;
                return core.store.durably(() => act(core, params));
            });
    const done = Promise.resolve({});

    return metered(agent.meters, {
        "node.create": (params, call) =>
            understood(peer, async () => {
                const caller = agent.callOf(session, call);
                const core = agent.coreForNewNode();
                return core.store.durably(() => createNode(core, params, caller));
            }),
        "node.update": operation<"node.update">(updateNode),
        "node.read": operation<"node.read">(readNode),
        "node.delete": operation<"node.delete">(deleteNode),
        "node.known": question<"node.known">(knownNode),
        "resource.create": operation<"resource.create">((core, params, call) => named(params, () => createResource(core, params, call))),
        "resource.update": operation<"resource.update">((core, params, call) =>
            named(core.store.lives.get(params.life), () => updateResource(core, params, call)),
        ),
        "resource.read": operation<"resource.read">((core, params, call) =>
            named(core.store.lives.get(params.life), () => readResource(core, params, call)),
        ),
        "resource.delete": operation<"resource.delete">((core, params, call) =>
            named(core.store.lives.get(params.life), () => deleteResource(core, params, call)),
        ),
        "session.end": operation<"session.end">((core, { confirmed }, call) => {
            core.store.transaction(() => {
                confirm(core, confirmed, true);
                core.store.sessions.end(call.session);
                if (core.store.leavingAfter() === call.session) core.store.setLeaving(true);
            });
            core.onRemoved();
            return done;
        }),
        status: (params) => understood(peer, () => status(agent, peer, params)),
        events: (params, call) => understood(peer, () => eventsOf(agent.core, params, call)),
        metrics: () => understood(peer, () => metricsOf(agent)),
        "trash.list": question<"trash.list">(listTrash),
        "trash.restore": operation<"trash.restore">(restoreTrash),
        "trash.purge": operation<"trash.purge">(purgeTrash),
        "tenant.list": question<"tenant.list">(holdingsOf),
        "tenant.evict": operation<"tenant.evict">(evictTenant),
        "tenant.disclose": operation<"tenant.disclose">(discloseTenant),
        "tenant.rename": operation<"tenant.rename">(renameTenant),
        "machine.claim": ({ as }, call) =>
            understood(peer, async () => {
                agent.callOf(session, call);
                agent.claim(as);
                return { machine: agent.parts.custody.machine };
            }),
        "reconciler.pause": operation<"reconciler.pause">((core) => {
            core.reconciler.pause(channel);
            return done;
        }),
        "reconciler.resume": operation<"reconciler.resume">((core) => {
            core.reconciler.resume(channel);
            return done;
        }),
        "reconciler.sweep": operation<"reconciler.sweep">(async (core) => {
            await core.reconciler.sweepNow();
            return {};
        }),
    });
};

/** A machine that may do nothing still says what it is and why. */
const status = async (agent: Agent, { session, protocol }: Peer, { events }: Params<"status">): Promise<Result<"status">> => {
    const { custody, os, awaitingRestart } = agent.parts;
    const welcome = agent.welcome(session, protocol);
    if (custody.held.state === "ok") {
        const { core } = agent;
        return core.store.durably(async () => statusOf(core, welcome, await awaitingRestart(), events));
    }
    return {
        welcome,
        facts: await os.machine.facts(),
        tenants: [],
        resources: [],
        trash: [],
        events: [],
        awaitingRestart: await awaitingRestart(),
    };
};

/** An error of an operation on a resource says which one, in the program's own words. */
const named = async <T>(about: { readonly kind: string; readonly name: string } | undefined, act: () => Promise<T>): Promise<T> => {
    try {
        return await act();
    } catch (failure) {
        if (!(failure instanceof ZeroformError) || !about) throw failure;
        throw failure.with({ kind: about.kind, name: about.name });
    }
};

const understood = async <T>({ protocol }: Peer, act: () => Promise<T>): Promise<T> => {
    if (protocol !== undefined) return act();
    throw new ZeroformError({
        code: "PROTOCOL_MISMATCH",
        message: `the agent speaks protocol ${PROTOCOLS_UNDERSTOOD.join(" and ")}, and the zeroform package that calls it does not`,
        hint: "Update the zeroform package, or the agent with it by `pulumi up`.",
    });
};
