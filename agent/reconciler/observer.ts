import type { Life } from "../../protocol/ids.ts";
import type { AnyPrimitive } from "../../schema/primitive.ts";
import type { Os } from "../os/os.ts";
import type { Observation, Resource } from "../primitives/driver.ts";
import type { ResourceKind } from "../store/rows.ts";
import type { Drivers } from "./drivers.ts";
import type { Inventory } from "./inventory.ts";

/** Judges a resource by what was seen of it. */
export type Judge = (resource: Resource) => Observation<AnyPrimitive>;

/** Which resources of a kind a look is for. */
type Wanted = ReadonlySet<Life> | "all";

interface Look {
    readonly wanted: Set<Life> | "all";
    readonly judge: Promise<Judge>;
}

/** Looks at the machine, once for all who ask meanwhile. */
export class Observer {
    readonly #os: Os;
    readonly #drivers: Drivers;
    readonly #inventory: Inventory;
    readonly #running = new Map<ResourceKind, Promise<Judge>>();
    readonly #next = new Map<ResourceKind, Look>();

    constructor(os: Os, drivers: Drivers, inventory: Inventory) {
        this.#os = os;
        this.#drivers = drivers;
        this.#inventory = inventory;
    }

    /**
     * Looks at one resource, or at all of its kind; the answer judges no others. What is seen was so after the call: a look that has begun
     * before does not count.
     */
    look(kind: ResourceKind, life?: Life): Promise<Judge> {
        const running = this.#running.get(kind);
        if (!running) return this.#begin(kind, life === undefined ? "all" : new Set([life]));
        const next = this.#next.get(kind);
        const all = life === undefined || next?.wanted === "all";
        const wanted = all ? "all" : new Set([...(next?.wanted ?? []), life]);
        const judge = next?.judge ?? this.#after(kind, running);
        this.#next.set(kind, { wanted, judge });
        return judge;
    }

    async #after(kind: ResourceKind, running: Promise<Judge>): Promise<Judge> {
        await running.catch(() => undefined);
        const wanted = this.#next.get(kind)?.wanted ?? "all";
        this.#next.delete(kind);
        return this.#begin(kind, wanted);
    }

    #begin(kind: ResourceKind, wanted: Wanted): Promise<Judge> {
        const looking = this.#gather(kind, wanted).finally(() => {
            if (this.#running.get(kind) === looking) this.#running.delete(kind);
        });
        this.#running.set(kind, looking);
        return looking;
    }

    async #gather(kind: ResourceKind, wanted: Wanted): Promise<Judge> {
        const driver = this.#drivers[kind];
        const rows = this.#inventory.present(kind).filter(({ life }) => wanted === "all" || wanted.has(life));
        const resources = rows.map((row) => this.#inventory.resource(row));
        const facts = await driver.gather(this.#os, resources);
        return (resource) => {
            if (wanted !== "all" && !wanted.has(resource.life)) throw new TypeError(`nobody has looked at ${resource.life}`);
            return driver.observe(resource, facts);
        };
    }
}
