import type { Life, TenantId } from "../../protocol/ids.ts";
import type { FamilyNamed, Suffix } from "../../protocol/metrics.ts";
import type { Kind } from "../../schema/index.ts";
import type { AnyPrimitive, Outputs, Spec } from "../../schema/primitive.ts";
import type { Os } from "../os/os.ts";

/** A resource as its driver sees it. */
export interface Resource<P extends { readonly inputs: AnyPrimitive["inputs"] } = AnyPrimitive> {
    readonly life: Life;
    readonly tenant: TenantId;
    readonly kind: Kind;
    /** Which resource of which program it is: two of one name, of other stacks or components, have two. */
    readonly urn: string;
    /** What the program calls it; may be shown, never trusted in a path or a unit. */
    readonly name: string;
    /** Desired state: validated, complete, secrets in clear (in memory only). */
    readonly spec: Spec<P>;
    /** The resources it refers to, by the name of the input: `uses.mount` is the ZMount of a Zdb. */
    readonly uses: Readonly<Record<string, Resource>>;
}

export type Observation<P extends { readonly outputs: AnyPrimitive["outputs"]; readonly inputs: AnyPrimitive["inputs"] }> =
    | {
          readonly state: "ready";
          readonly outputs: Partial<Outputs<P>>;
          /** Inputs that are other in reality than desired, and not less good: a mount that is larger. */
          readonly actual?: Partial<Spec<P>>;
          /** What does not keep it from being ready, and yet somebody should know. */
          readonly notes?: readonly string[];
      }
    | { readonly state: "drifted"; readonly why: string; readonly outputs?: Partial<Outputs<P>> }
    | { readonly state: "absent" };

/** What was removed and is kept for a while. */
export interface Trashed<P extends { readonly inputs: AnyPrimitive["inputs"] } = AnyPrimitive> {
    readonly resource: Resource<P>;
    /** Where `remove` put the data: the answer of `trashPlace`. */
    readonly place: string;
}

/** What a driver may use while it works. */
export interface Context {
    readonly os: Os;
    readonly signal: AbortSignal;
    /** Says what is being done; shown to the waiting user. `moved`: data have moved since the last word, so no time-out is due. */
    readonly progress: (doing: string, moved?: true) => void;
    /** All resources of a kind that are desired on this machine, of all tenants. */
    readonly resources: (kind: Kind) => readonly Resource[];
    /** All of a kind that are on their way off this machine. */
    readonly leaving: (kind: Kind) => readonly Resource[];
    /** Everything in the trash of a kind, oldest first, and the way to let go of one before its time because room is needed. */
    readonly trash: (kind: Kind) => readonly Trashed[];
    readonly purgeNow: (trashed: Trashed) => Promise<void>;
}

/** A figure for monitoring. */
export interface Measurement {
    readonly family: FamilyNamed;
    /** Of a summary or histogram, which of its figures it is. */
    readonly suffix?: Suffix;
    /** Whose it is; what several resources share has labels instead. */
    readonly resource?: Resource;
    readonly labels?: Readonly<Record<string, string>>;
    readonly value: number;
}

/** How one primitive is made real on a node, and kept so. */
export interface Driver<P extends AnyPrimitive, Facts> {
    readonly primitive: P;
    /** OS packages that a spec needs, by their Debian names, each with a program that tells that it is there. */
    packages(spec: Spec<P>): Readonly<Record<string, string>>;
    /** What the node shows about all resources of this kind; asked once a sweep. */
    gather(os: Os, resources: readonly Resource<P>[]): Promise<Facts>;
    /** Judges one resource by the facts alone. */
    observe(resource: Resource<P>, facts: Facts): Observation<P>;
    /**
     * Refuses a new one for what only other machines know. Asked before it is admitted and beside others, since they may be slow: it takes seconds at most,
     * and a machine that does not answer is no reason.
     */
    inquire?(spec: Spec<P>, context: Context): Promise<void>;
    /**
     * Refuses, before anything is stored, what cannot be: a shrink below what is real, no room, a port that another holds.
     * Fills in generated inputs that the program did not give: the old ones where there are some. Answers the complete spec.
     */
    admit(wanted: Resource<P>, old: Resource<P> | undefined, context: Context): Promise<Spec<P>>;
    /** Makes the resource what its spec says, from whatever state it is in. Cut off anywhere, it can be run again. Throws ZeroformError, `retryable` where trying again may help. */
    apply(resource: Resource<P>, context: Context): Promise<void>;
    /** Where its data would lie in the trash, on the file system where they are; undefined when it has none. Pure. */
    trashPlace(resource: Resource<P>): string | undefined;
    /** The same while its data are not yet where its spec says; asked when a removal begins. */
    trashPlaceNow?(resource: Resource<P>, context: Context): Promise<string | undefined>;
    /** Where its data lie when it was taken away without a place for them. Pure. */
    keptPlace(resource: Resource<P>): string;
    /** Where data of a life are in use that nobody has a spec of: a store that was put back from an older copy. Trash does not count. */
    trace(life: Life, os: Pick<Os, "files">): Promise<string | undefined>;
    /** Takes the resource away; its data go to `place` when one is given and stay where they are when not. Absent is fine; cut off anywhere, it can be run again. */
    remove(resource: Resource<P>, place: string | undefined, context: Context): Promise<void>;
    /** Bytes that trashed data take. 0 when gone; throws NOT_READY where a removal could take what is away for gone. */
    trashedBytes(trashed: Trashed<P>, context: Pick<Context, "os" | "resources">): Promise<number>;
    /** Deletes trashed data for good. Absent is fine. */
    purge(trashed: Trashed<P>, context: Context): Promise<void>;
    /** Exchanges: the resource's own data go to `own`, the trashed data into their place. The resource is applied afterwards. Refuses before it touches anything when the data do not fit. Repeatable. */
    restore(trashed: Trashed<P>, into: Resource<P>, own: string, context: Context): Promise<void>;
    /** The systemd units that realise it, whose journal tells of it; several resources may share one. Pure. */
    units(resource: Resource<P>): readonly string[];
    /** Figures of all resources of this kind, asked for together. What is dead or slow is left out, and holds up nothing else. */
    measure(os: Os, resources: readonly Resource<P>[]): Promise<readonly Measurement[]>;
}
