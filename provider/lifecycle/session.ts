import type { Caller } from "../../protocol/api.ts";
import {
    type Life,
    type MachineId,
    mintSessionId,
    type NodeAddress,
    parseNodeId,
    parseResourceId,
    type TenantId,
} from "../../protocol/ids.ts";
import type { Reach } from "../../schema/on-node.ts";
import type { NodeLink } from "./surroundings.ts";
import type { Properties } from "./values.ts";

/** A Node as this process saw it last. */
export interface KnownNode {
    readonly address: NodeAddress;
    readonly reach: Reach;
}

/** What one provider process remembers, and what it tells the machines when it ends in order. */
export class Session {
    readonly id = mintSessionId();
    /** Ids from the engine's state that a machine has not been told of yet. */
    readonly #seen = new Map<MachineId, Set<Life | TenantId>>();
    /** Ids of creates that were answered: in the engine's state once it ends in order. */
    readonly #made = new Map<MachineId, Set<Life | TenantId>>();
    readonly #nodes = new Map<string, KnownNode>();
    readonly #nodesByUrn = new Map<string, KnownNode>();
    readonly #links = new Map<MachineId, NodeLink>();
    readonly #keptOver = new Map<string, Properties>();
    /** Machines that something was abandoned on, since they could not be reached. */
    readonly abandoned = new Set<MachineId>();

    /** An id that came from the engine's state: proof that the engine has saved it, unless this process made it. */
    noticed(id: string): void {
        const [resource, node] = [parseResourceId(id), parseNodeId(id)];
        const machine = (resource ?? node)?.machine;
        const own = resource?.life ?? node?.tenant;
        if (machine && own && !this.#made.get(machine)?.has(own)) setOf(this.#seen, machine).add(own);
    }

    made(machine: MachineId, own: Life | TenantId): void {
        setOf(this.#made, machine).add(own);
    }

    /** What the next call to a machine tells it. */
    seen(machine: MachineId): readonly (Life | TenantId)[] {
        return [...(this.#seen.get(machine) ?? [])];
    }

    /** The machine has answered a call that told it these. */
    told(machine: MachineId, seen: Caller["seen"]): void {
        for (const id of seen) this.#seen.get(machine)?.delete(id);
    }

    /** How a Node is reached, from the Node itself: newer than what its children carry. */
    reached(address: NodeAddress, reach: Reach, urn: string): void {
        const known = { address, reach };
        this.#nodes.set(`${address.machine}/${address.tenant}`, known);
        if (urn !== "") this.#nodesByUrn.set(urn, known);
    }

    reachOf({ machine, tenant }: NodeAddress): Reach | undefined {
        return this.#nodes.get(`${machine}/${tenant}`)?.reach;
    }

    nodeOf(urn: string): KnownNode | undefined {
        return this.#nodesByUrn.get(urn);
    }

    /** What the life that replaces one of this URN is given of it. */
    keepOver(urn: string, values: Properties): void {
        this.#keptOver.set(urn, values);
    }

    keptOver(urn: string): Properties {
        return this.#keptOver.get(urn) ?? {};
    }

    linked(link: NodeLink): void {
        this.#links.set(link.welcome.machine, link);
    }

    /** Tells every machine that was spoken to, all at once, that this process ends in order. Settles when all have answered or failed. */
    async end(signal: AbortSignal): Promise<void> {
        await Promise.allSettled(
            [...this.#links].map(([machine, link]) =>
                link.request("session.end", { confirmed: [...(this.#made.get(machine) ?? [])] }, { signal }),
            ),
        );
    }
}

const setOf = <K, V>(sets: Map<K, Set<V>>, key: K): Set<V> => {
    const set = sets.get(key) ?? new Set<V>();
    sets.set(key, set);
    return set;
};
