import { nameOf } from "./backend-url.ts";
import type { ExchangeProgress } from "./exchange.ts";
import type { Replica } from "./replicas.ts";
import type { Store } from "./store.ts";

export interface MetadataStatus {
    readonly replicas: number;
    readonly quorum: number;
    /** Number of this set of replicas; it rises with every exchange. Undefined before an old store's replicas are marked. */
    readonly configuration?: number;
    readonly members: readonly ReplicaStatus[];
    readonly behind: readonly string[];
    readonly sequence: number;
    /** Undefined when the replicas are those that are wanted. */
    readonly exchange?: ExchangeProgress;
    /** Why what is wanted is not done at all. */
    readonly refusal?: string;
    /** Taken out, and not told yet. */
    readonly removed: readonly string[];
}

export interface ReplicaStatus {
    readonly name: string;
    /** `behind` has missed writes, and is given them; `empty` has lost what it held or never had it, and does not count until it is filled. */
    readonly state: "ok" | "behind" | "empty";
    /** It could not be brought up to date when that was tried last. */
    readonly isLagging?: true;
}

/** Where the metadata are, and what is being done about it. */
export function metadataOf(store: Store): MetadataStatus {
    const { replicas, view, exchange, caretaker } = store;
    const { metadata, writeQuorum, configuration, removed = [] } = store.config;
    const { progress } = exchange;
    return {
        replicas: metadata.length,
        quorum: writeQuorum,
        ...(configuration === undefined ? {} : { configuration }),
        members: replicas.members.map((replica) => ({
            name: nameOf(replica.url),
            state: stateOf(replica),
            ...(caretaker.lagging.has(replica) ? { isLagging: true as const } : {}),
        })),
        behind: replicas.behind.map(({ url }) => nameOf(url)),
        sequence: view.head?.sequence ?? 0,
        removed: removed.map(({ url }) => nameOf(url)),
        ...(progress === undefined ? {} : { exchange: named(progress) }),
        ...(exchange.refusal === undefined ? {} : { refusal: exchange.refusal }),
    };
}

function stateOf({ counts, isBehind }: Replica): ReplicaStatus["state"] {
    if (!counts) return "empty";
    return isBehind ? "behind" : "ok";
}

function named({ joining, leaving, ...progress }: ExchangeProgress): ExchangeProgress {
    return {
        ...progress,
        ...(joining === undefined ? {} : { joining: nameOf(joining) }),
        ...(leaving === undefined ? {} : { leaving: nameOf(leaving) }),
    };
}

export function exchangeWarnings(store: Store, { exchange, members }: MetadataStatus): string[] {
    const warnings = members.flatMap(({ name, state }) =>
        state === "empty"
            ? [`metadata replica ${name} is empty or damaged, and does not count until it has been filled from the others`]
            : [],
    );
    if (exchange) warnings.push(exchangeInWords(exchange));
    const { refusal } = store.exchange;
    if (refusal !== undefined) warnings.push(`the metadata namespaces are not exchanged: ${refusal}`);
    else if (!store.exchange.isWanted)
        for (const url of store.unusedMetadata) warnings.push(`${nameOf(url)} is not used: it is none of the store's metadata namespaces`);
    return warnings;
}

function exchangeInWords({ joining, leaving, phase, values, copied, why }: ExchangeProgress): string {
    const how = phase === "both" ? "both sets are written to" : `${copied} of ${values} values are copied`;
    return `metadata replicas are being exchanged: ${stepInWords(joining, leaving)}, ${how}${why === undefined ? "" : `; it waits: ${why}`}`;
}

function stepInWords(joining: string | undefined, leaving: string | undefined): string {
    if (joining !== undefined) return leaving === undefined ? `${joining} joins` : `${joining} takes the place of ${leaving}`;
    return leaving === undefined ? "another number of them has to agree" : `${leaving} leaves`;
}
