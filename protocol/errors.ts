/** What went wrong, for programs. The sentence is for people. */
export type ErrorCode =
    // Reaching the node
    | "SSH_REFUSED"
    | "SSH_TIMEOUT"
    | "SSH_LOST"
    | "SSH_AUTH"
    | "SSH_HOST_KEY"
    | "SSH_CONFIG"
    | "NAME_UNKNOWN"
    // What a machine must have
    | "NO_ROOT"
    | "NO_SYSTEMD"
    | "OLD_KERNEL"
    | "WRONG_ARCHITECTURE"
    | "UNSUITABLE"
    | "DISK_FULL"
    // The agent
    | "AGENT_MISSING"
    /** What the agent runs on could not be had. */
    | "RUNTIME_MISSING"
    /** No agent, and no trace of one: neither identity nor desired state nor unit. */
    | "AGENT_GONE"
    | "AGENT_BROKEN"
    | "AGENT_NEWER"
    | "PROTOCOL_MISMATCH"
    | "STORE_CORRUPT"
    // Identity, lives and sessions
    | "MACHINE_CHANGED"
    | "TENANT_UNKNOWN"
    | "LIFE_UNKNOWN"
    | "SUPERSEDED"
    | "BUSY"
    | "ENGINE_GONE"
    // Resources
    | "INVALID"
    | "IN_USE"
    | "NO_ROOM"
    | "CONFLICT"
    | "PACKAGE_MISSING"
    | "NOT_READY"
    | "TIMEOUT"
    | "CANCELLED"
    | "FAILED"
    | "INTERNAL";

export interface ErrorFacts {
    readonly code: ErrorCode;
    /** One sentence for the user: what failed, where, why. */
    readonly message: string;
    /** What to do about it. */
    readonly hint?: string | undefined;
    /** What was being done: "create", "connect" ... */
    readonly action?: string | undefined;
    /** Kind and name of the resource concerned. */
    readonly kind?: string | undefined;
    readonly name?: string | undefined;
    /** The node concerned, as the user calls it. */
    readonly node?: string | undefined;
    /** Whether trying the same again later may succeed without anybody doing anything. */
    readonly retryable?: boolean | undefined;
}

/** The one error that users see. Everything else that is thrown is a defect. */
export class ZeroformError extends Error {
    override readonly name = "ZeroformError";
    readonly code: ErrorCode;
    readonly hint: string | undefined;
    readonly action: string | undefined;
    readonly kind: string | undefined;
    /** Name of the resource concerned. */
    readonly resource: string | undefined;
    readonly node: string | undefined;
    readonly retryable: boolean;

    constructor(facts: ErrorFacts, cause?: unknown) {
        super(facts.message, cause === undefined ? undefined : { cause });
        this.code = facts.code;
        this.hint = facts.hint;
        this.action = facts.action;
        this.kind = facts.kind;
        this.resource = facts.name;
        this.node = facts.node;
        this.retryable = facts.retryable ?? false;
    }

    /** Plain data, for the wire. The cause stays behind. */
    facts(): ErrorFacts {
        const { code, message, hint, action, kind, node, retryable } = this;
        return { code, message, hint, action, kind, name: this.resource, node, retryable };
    }

    /** The same error with what an outer layer knows better; what is known already stays. */
    with(context: Partial<Omit<ErrorFacts, "code" | "message">>): ZeroformError {
        const known = Object.fromEntries(Object.entries(this.facts()).filter(([, value]) => value !== undefined)) as unknown as ErrorFacts;
        return new ZeroformError({ ...context, ...known }, this.cause);
    }

    /** What a user is shown: one sentence on what happened, and what to do. */
    sentence(): string {
        const place = this.node !== undefined && !this.message.startsWith(`${this.node} `) ? `on ${this.node}` : undefined;
        const subject = [this.kind, this.resource && `"${this.resource}"`, place].filter(Boolean).join(" ");
        const where = subject === "" || this.message.includes(subject) ? "" : `${subject}: `;
        const end = /[.!?]$/.test(this.message) ? "" : ".";
        return `${where}${this.message}${end}${this.hint ? ` ${this.hint}` : ""}`;
    }
}

/** Anything thrown, as the error that users see; a defect keeps its own words and says that it is one. */
export const asZeroformError = (thrown: unknown): ZeroformError => {
    if (thrown instanceof ZeroformError) return thrown;
    if (thrown instanceof Error && thrown.name === "AbortError")
        return new ZeroformError({ code: "CANCELLED", message: "cancelled" }, thrown);
    const ofMachine = thrown instanceof Error ? failureOfMachine(thrown) : undefined;
    if (ofMachine) return new ZeroformError(ofMachine, thrown);
    const words = thrown instanceof Error ? thrown.message : String(thrown);
    return new ZeroformError(
        { code: "INTERNAL", message: `internal error: ${words}`, hint: "Please report this as a defect of zeroform." },
        thrown,
    );
};

/** What a disk says to whoever needs it: the code, what it means, what to do. */
const DISK: Readonly<Record<string, readonly [ErrorCode, string, string]>> = {
    ENOSPC: ["DISK_FULL", "the disk is full", "Make room on it."],
    EDQUOT: ["DISK_FULL", "the quota of the disk is used up", "Make room, or raise the quota."],
    EROFS: ["FAILED", "the file system is read-only", "`dmesg` says whether an error has made it so; mount it writable again."],
    EIO: ["FAILED", "the disk fails", "`dmesg` says what it does; save what can still be read."],
};

/** Disks that are full or broken, and programs of the system that fail, are no defects of ours. */
const failureOfMachine = (thrown: Error): ErrorFacts | undefined => {
    // Of the agent's seam, which nothing here may import.
    if (thrown.name === "ProgramFailure") return { code: "FAILED", message: thrown.message, retryable: true };
    const { code, path } = thrown as { readonly code?: unknown; readonly path?: unknown };
    const [known, says, hint] = (typeof code === "string" ? DISK[code] : undefined) ?? [];
    if (known === undefined) return undefined;
    return { code: known, message: `${says}: ${typeof path === "string" ? path : thrown.message}`, hint };
};
