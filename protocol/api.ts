import type { Kind } from "../schema/index.ts";
import type { Reach } from "../schema/on-node.ts";
import type { ErrorFacts } from "./errors.ts";
import type { Life, MachineId, SessionId, TenantId } from "./ids.ts";
import type { Family } from "./metrics.ts";

/** What the agent says first on every channel, unasked: so that a channel costs no round trip of its own. */
export interface Welcome {
    readonly machine: MachineId;
    /** All protocols that the agent speaks. */
    readonly protocols: readonly number[];
    /** The newest of those that the other end speaks too, which this channel is in; left out when there is none, and every call is refused. */
    readonly protocol?: number;
    readonly agentVersion: string;
    /** Content hash of the running agent bundle. */
    readonly agentHash: string;
    /** Age of the channel's session among all sessions of this machine; 0 for a channel without a session. */
    readonly epoch: number;
    /** `lost`: empty beside data directories. `copied`: this disk was copied from another machine. */
    readonly store: "ok" | "lost" | "corrupt" | "copied";
    readonly storeReason?: string;
}

/** What `zeroform-agent rpc` says to the agent first, for the process at the other end of the SSH channel. */
export interface Introduction {
    /** All that it speaks. */
    readonly protocols: readonly number[];
    /** Left out by an observer, which may not change anything. */
    readonly session?: SessionId;
}

/** Who asks, of whom: carried by every call of a provider. */
export interface Caller {
    /** The machine that the caller means to talk to. */
    readonly machine: MachineId;
    readonly tenant: TenantId;
    /** Lives and tenants that `diff` has seen in the engine's state: proof that the engine has saved them. */
    readonly seen: readonly (Life | TenantId)[];
}

/** Settings of a Node that its tenant's operations obey. */
export type Settings = Pick<Reach, "installPackages">;

export interface MachineFacts {
    readonly arch: string;
    readonly kernel: string;
    readonly cores: number;
    readonly memory: number;
    readonly disks: readonly { readonly name: string; readonly bytes: number }[];
    /** Controllers of cgroup v2 that services can be limited with; an agent of an older release does not tell. */
    readonly controllers?: readonly string[];
}

export interface NodeReport {
    readonly machine: MachineId;
    readonly tenant: TenantId;
    readonly agentVersion: string;
    readonly facts: MachineFacts;
    /** Why the next `up` has to look after it; an agent of an older release has none. */
    readonly reasons?: readonly string[];
}

/** A resource as the agent sees it after an operation. */
export interface ResourceReport {
    readonly life: Life;
    /** `unfinished`: it exists, its desired state is kept, and the agent goes on trying where that makes sense. */
    readonly state: "ready" | "unfinished";
    /** Why it is not ready; one sentence each, the agent's own words. */
    readonly reasons: readonly string[];
    /** What is real of the desired state: non-secret inputs, generated ones included, grown sizes as they are. */
    readonly spec: Readonly<Record<string, unknown>>;
    /** Secret inputs that were generated on the node; only in the answer of create and update. */
    readonly generatedSecrets: Readonly<Record<string, string>>;
    /** What does not keep it from being ready, and yet somebody should know; an agent of an older release has none. */
    readonly notes?: readonly string[];
    /** Outputs of source `node`. */
    readonly outputs: Readonly<Record<string, unknown>>;
}

/** Proof of a secret without the secret: HMAC-SHA256 of its text (`secretText`) in UTF-8 under a key chosen by the caller, both base64. */
export interface Digest {
    readonly key: string;
    readonly hmac: string;
}

export type ReadReport =
    | { readonly found: false }
    | (Omit<ResourceReport, "generatedSecrets"> & { readonly found: true; readonly differingSecrets: readonly string[] });

export interface NamedLife {
    readonly life: Life;
    readonly kind: Kind;
    readonly urn: string;
}

export interface NodeRemoval {
    /** Confirmed lives that stay on the machine, with their data. */
    readonly kept: readonly NamedLife[];
    /** `removed`: nothing was left and the agent took itself away. `trash`: it goes at the last purge. `stays`: others use it. */
    readonly agent: "removed" | "trash" | "stays";
}

export interface ResourceStatus extends NamedLife {
    readonly tenant: TenantId;
    readonly name: string;
    /** `kept`: removed with `onRemove: "keep"`; only its data are still here. */
    readonly state: "ready" | "unfinished" | "removing" | "kept";
    /** Why it is not ready. */
    readonly reasons: readonly string[];
    /** What does not keep it from being ready, and yet somebody should know. */
    readonly notes?: readonly string[];
    /** Unix milliseconds since which it is in that state. */
    readonly since: number;
    readonly createdAt: number;
    readonly confirmed: boolean;
    /** When a session last named it; undefined: never since its create. */
    readonly namedAt?: number;
    readonly outputs: Readonly<Record<string, unknown>>;
}

export interface TenantStatus {
    readonly tenant: TenantId;
    readonly urn: string;
    readonly confirmed: boolean;
    /** Its Node was removed; what the Node left is still here. */
    readonly deleted: boolean;
    readonly createdAt: number;
    /** When a session last called for it, to the minute; undefined: never since its create. */
    readonly seenAt?: number;
}

/** What a tenant has on a machine. */
export interface Holdings extends TenantStatus {
    /** A run works with it at this moment. */
    readonly active: boolean;
    readonly resources: readonly Holding[];
    /** Lives that no engine is known to have saved. */
    readonly unconfirmed: number;
    /** Lives of which only the data are left, by `onRemove: "keep"`. */
    readonly kept: number;
    /** What they may take of the machine's disks; what lies on another resource is counted there. */
    readonly bytes: number;
    readonly trash: { readonly count: number; readonly bytes: number };
}

export interface Holding {
    readonly kind: Kind;
    readonly count: number;
}

/** A resource as its engine knew it. */
export interface DisclosedLife extends NamedLife {
    readonly name: string;
    /** Desired state, secrets in clear. */
    readonly spec: Readonly<Record<string, unknown>>;
    /** Inputs whose value the node made. */
    readonly generated: readonly string[];
    /** The lives that it refers to, by the name of the input. */
    readonly uses: Readonly<Record<string, Life>>;
    readonly confirmed: boolean;
    readonly createdAt: number;
}

export interface Disclosure {
    readonly tenant: TenantStatus & { readonly settings: Settings };
    /** What is desired, what others refer to first. */
    readonly lives: readonly DisclosedLife[];
    readonly kept: readonly NamedLife[];
}

/** What became of a piece of trash that was to be purged. */
export interface PurgedPiece extends NamedLife {
    readonly name: string;
    /** What is free again; 0 for what went with the mount that it lay on. */
    readonly bytes: number;
    /** Why it is still there. */
    readonly failure?: ErrorFacts;
}

export interface TrashStatus extends NamedLife {
    readonly tenant: TenantId;
    readonly name: string;
    /** 0 when it cannot be told. */
    readonly bytes: number;
    /** Why the data cannot be reached at this moment. */
    readonly unreachable?: string;
    readonly removedAt: number;
    readonly purgeAt: number;
}

export interface AgentEvent {
    readonly id: number;
    readonly at: number;
    readonly life?: Life;
    readonly name?: string;
    /** `healed`, `broken`, `made`, `changed`, `removed`, `purged`, `restored`, `installed` ... */
    readonly what: string;
    readonly detail: string;
}

export interface MachineStatus {
    readonly welcome: Welcome;
    readonly facts: MachineFacts;
    readonly tenants: readonly TenantStatus[];
    readonly resources: readonly ResourceStatus[];
    readonly trash: readonly TrashStatus[];
    /** The latest first, bounded. */
    readonly events: readonly AgentEvent[];
    /** Engines that run an older program than the agent's and get the new one at their next restart. */
    readonly awaitingRestart: readonly string[];
}

/** Every method: what it takes and what it answers. Mutating methods need a session. */
export interface Api {
    "node.create": [
        {
            readonly urn: string;
            readonly name: string;
            readonly settings: Settings;
            readonly operation: string;
            readonly seen: Caller["seen"];
        },
        NodeReport,
    ];
    "node.update": [{ readonly caller: Caller; readonly urn: string; readonly settings: Settings }, NodeReport];
    /** undefined tenant on the right machine: absent. */
    "node.read": [{ readonly caller: Caller }, { readonly found: false } | ({ readonly found: true } & NodeReport)];
    "node.delete": [{ readonly caller: Caller; readonly trashMs: number }, NodeRemoval];
    /** Whether a Node of this URN has been created on this machine (asked when a delete meets another machine). */
    "node.known": [{ readonly urn: string }, { readonly known: boolean }];

    /** `operation` is random and the same over retries of one create: the second call joins the first. Throws only before anything is made. */
    "resource.create": [
        {
            readonly caller: Caller;
            readonly kind: Kind;
            readonly urn: string;
            readonly name: string;
            readonly operation: string;
            readonly spec: Readonly<Record<string, unknown>>;
            readonly waitMs: number;
            readonly trashMs: number;
            readonly settings: Settings;
        },
        ResourceReport,
    ];
    /** Throws when refused before anything was changed; what fails later is reported as unfinished. */
    "resource.update": [
        {
            readonly caller: Caller;
            readonly life: Life;
            readonly urn: string;
            readonly spec: Readonly<Record<string, unknown>>;
            readonly waitMs: number;
            readonly settings: Settings;
        },
        ResourceReport,
    ];
    "resource.read": [{ readonly caller: Caller; readonly life: Life; readonly digests: Readonly<Record<string, Digest>> }, ReadReport];
    /** Absent is success. Answers when the resource is gone (data in the trash, or kept). */
    "resource.delete": [
        {
            readonly caller: Caller;
            readonly life: Life;
            readonly onRemove: "delete" | "keep";
            readonly trashMs: number;
            readonly waitMs: number;
        },
        Record<string, never>,
    ];

    /** An orderly end: what this session made and had answered is in the engine's state. */
    "session.end": [{ readonly confirmed: readonly (Life | TenantId)[] }, Record<string, never>];

    status: [{ readonly events?: number }, MachineStatus];
    /** In the order in which they happened: the `latest` so many, or those `after` an id, for which it waits up to a minute when there are none. `about`: a life, or a resource's name. */
    events: [
        { readonly about?: string; readonly latest?: number; readonly after?: number; readonly waitMs?: number },
        readonly AgentEvent[],
    ];
    /** Figures for monitoring, also of a machine whose store is not sound. */
    metrics: [Record<string, never>, readonly Family[]];
    "trash.list": [Record<string, never>, readonly TrashStatus[]];
    /** Puts trashed or kept data in the place of a resource's own (default: the live one with the same tenant and URN), whose data goes to the trash instead. */
    "trash.restore": [{ readonly life: Life; readonly into?: Life }, { readonly into: NamedLife }];
    /** Deletes pieces of trash for good, before their time. One that fails keeps no other. */
    "trash.purge": [{ readonly lives: readonly Life[] }, { readonly pieces: readonly PurgedPiece[] }];

    /** Who owns what on this machine. */
    "tenant.list": [Record<string, never>, readonly Holdings[]];
    /** Removes a tenant with all that it has, for which no stack is left. Durable from its first moment: it goes on when nobody waits for it. */
    "tenant.evict": [
        { readonly machine: MachineId; readonly tenant: TenantId; readonly trashMs: number; readonly waitMs: number },
        { readonly removed: readonly NamedLife[]; readonly agent: NodeRemoval["agent"] },
    ];
    /** All that a tenant wants on this machine, secrets included: what a state that was lost is put together from. */
    "tenant.disclose": [{ readonly machine: MachineId; readonly tenant: TenantId }, Disclosure];
    /** A Node, or a resource on it, is called otherwise in its program from now on; nothing else changes. */
    "tenant.rename": [{ readonly caller: Caller; readonly life?: Life; readonly urn: string }, Record<string, never>];

    /** Says what a machine with a copied disk is: the same installation on other hardware, or a new machine. */
    "machine.claim": [{ readonly as: "same" | "new" }, { readonly machine: MachineId }];
    /** For tests: no sweep and no healing until resumed or the channel closes. */
    "reconciler.pause": [Record<string, never>, Record<string, never>];
    "reconciler.resume": [Record<string, never>, Record<string, never>];
    /** Observe and heal everything now; answers when done. */
    "reconciler.sweep": [Record<string, never>, Record<string, never>];
}

export type Method = keyof Api;
export type Params<M extends Method> = Api[M][0];
export type Result<M extends Method> = Api[M][1];

/** What a long call says while it works: replaces what it said before. */
export interface Progress {
    readonly doing: string;
    /** Data have moved since the last word: whoever waits goes on waiting as long as that is so. */
    readonly moved?: true;
}

/** How an error travels in a JSON-RPC error's `data`. */
export type ErrorData = ErrorFacts;
