import type { AnyPrimitive } from "../../schema/primitive.ts";
import type { Os } from "../os/os.ts";
import type { Observation, Resource } from "../primitives/driver.ts";
import type { ResourceKind } from "../store/rows.ts";
import type { Drivers } from "./drivers.ts";
import type { Inventory } from "./inventory.ts";

/** Judges a resource by what was seen of all of its kind. */
export type Judge = (resource: Resource) => Observation<AnyPrimitive>;

/** Looks at the machine, once for all who ask meanwhile. */
export class Observer {
    readonly #os: Os;
    readonly #drivers: Drivers;
    readonly #inventory: Inventory;
    readonly #running = new Map<ResourceKind, Promise<Judge>>();
    readonly #next = new Map<ResourceKind, Promise<Judge>>();

    constructor(os: Os, drivers: Drivers, inventory: Inventory) {
        this.#os = os;
        this.#drivers = drivers;
        this.#inventory = inventory;
    }

    /** What is seen was so after the call: a look that has begun before does not count. */
    look(kind: ResourceKind): Promise<Judge> {
        const running = this.#running.get(kind);
        if (!running) return this.#begin(kind);
        const next = this.#next.get(kind) ?? this.#after(kind, running);
        this.#next.set(kind, next);
        return next;
    }

    async #after(kind: ResourceKind, running: Promise<Judge>): Promise<Judge> {
        await running.catch(() => undefined);
        this.#next.delete(kind);
        return this.#begin(kind);
    }

    #begin(kind: ResourceKind): Promise<Judge> {
        const looking = this.#gather(kind).finally(() => {
            if (this.#running.get(kind) === looking) this.#running.delete(kind);
        });
        this.#running.set(kind, looking);
        return looking;
    }

    async #gather(kind: ResourceKind): Promise<Judge> {
        const driver = this.#drivers[kind];
        const facts = await driver.gather(this.#os, this.#inventory.resources(kind));
        return (resource) => driver.observe(resource, facts);
    }
}
