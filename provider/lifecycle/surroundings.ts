import type { Method, Params, Result, Welcome } from "../../protocol/api.ts";
import type { CallOptions } from "../../protocol/channel.ts";
import type { MachineId } from "../../protocol/ids.ts";
import type { Reach } from "../../schema/on-node.ts";
import type { Session } from "./session.ts";

/** A host as it is dialled, after ssh's configuration. */
export interface Target {
    readonly address: string;
    readonly port: number;
    readonly user: string;
    readonly agentSocket: string | undefined;
}

/** The jump host right before a machine, where there is exactly one and nothing else on the way. */
export interface OnlyHop extends Target {
    readonly hostKey: string | undefined;
    readonly privateKey: string | undefined;
    readonly passphrase: string | undefined;
}

/** Where a machine is dialled, and by way of what. */
export interface Destination extends Target {
    readonly hop: OnlyHop | undefined;
}

export interface LinkOptions {
    /** `present`: the agent that is there. `current`: one of `version` is installed or upgraded to first. */
    readonly agent: "present" | "current";
    readonly version?: string | undefined;
    /** The machine that is meant: where it has lost its agent's programs it gets them again. */
    readonly machine?: MachineId | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((doing: string) => void) | undefined;
    /** Called while data move, so that nobody takes a slow link for a dead one. */
    readonly onMoved?: (() => void) | undefined;
}

/** A channel to the agent of a machine, shared by all operations of this process. */
export interface NodeLink {
    readonly welcome: Welcome;
    /** `<type> <base64>` that the machine showed. */
    readonly hostKey: string;
    /** Host keys of the jump hosts on the way, as lines of known_hosts. */
    readonly hopKeys: readonly string[];
    readonly target: Target;
    request<M extends Method>(method: M, params: Params<M>, options?: CallOptions): Promise<Result<M>>;
}

/** How machines are reached. */
export interface Nodes {
    /** Waits for a machine that is down until the signal aborts, and then rejects with what stood in the way. */
    link(reach: Reach, options: LinkOptions): Promise<NodeLink>;
    /** Where a machine would be dialled: asks nobody. */
    resolve(reach: Reach): Destination | Promise<Destination>;
}

/** The engine that this process works for, as far as the lifecycle needs it. */
export interface Engine {
    /** Rejects with ENGINE_GONE when nobody would save what is done now. */
    assertAlive(): Promise<void>;
    /** A status line on a resource; replaces the one before. */
    say(urn: string, doing: string): void;
    /** A line on a resource that stays. */
    inform(urn: string, text: string): void;
    /** The same for what somebody should look at. */
    warn(urn: string, text: string): void;
}

export interface Clock {
    now(): number;
    /** Rejects when the signal aborts. */
    sleep(ms: number, signal?: AbortSignal): Promise<void>;
    /** Calls `then` after a while; the answer takes it back. */
    after(ms: number, then: () => void): () => void;
}

/** What operations need around them; tests give their own. */
export interface Surroundings {
    readonly session: Session;
    readonly nodes: Nodes;
    readonly engine: Engine;
    readonly clock: Clock;
    /** Value of ZEROFORM_ON_UNREACHABLE: wins over every Node's `onUnreachable`, since destroy runs no program. */
    readonly onUnreachable: string | undefined;
}
