import type { Life } from "../../protocol/ids.ts";
import type { Resource, Trashed } from "../primitives/driver.ts";
import type { LifeRow } from "../store/lives.ts";
import type { Described, ResourceKind } from "../store/rows.ts";
import type { Store } from "../store/store.ts";
import type { TrashRow } from "../store/trash.ts";
import { KEPT_MS } from "./trash-times.ts";

type Owned = Described & Pick<LifeRow, "life" | "tenant">;

/** What the store knows, in the shape that drivers take. */
export class Inventory {
    readonly #store: Store;

    constructor(store: Store) {
        this.#store = store;
    }

    /** What it refers to comes with it; what has gone for good is left out. */
    resource(row: Owned): Resource {
        const { life, tenant, kind, urn, name, spec } = row;
        const uses: Record<string, Resource> = {};
        for (const [input, used] of Object.entries(row.uses)) {
            const found = this.#store.lives.get(used) ?? this.#store.trash.get(used);
            if (found) uses[input] = this.resource(found);
        }
        return { life, tenant, kind, urn, name, spec, uses };
    }

    /** Everything of a kind that is desired on this machine. */
    resources(kind: ResourceKind): readonly Resource[] {
        return this.present(kind).map((row) => this.resource(row));
    }

    /** Everything of a kind that is being removed. */
    leaving(kind: ResourceKind): readonly Resource[] {
        return this.#store.lives.where((row) => row.desired === "removed" && row.kind === kind).map((row) => this.resource(row));
    }

    present(kind?: ResourceKind): readonly LifeRow[] {
        return this.#store.lives.where((row) => row.desired === "present" && (kind === undefined || row.kind === kind));
    }

    trashed(row: TrashRow): Trashed {
        return { resource: this.resource(row), place: row.place };
    }

    /** Everything of a kind in the trash that may go before its time: nobody has been promised it back or wanted it kept. Oldest first. */
    trash(kind: ResourceKind): readonly Trashed[] {
        return this.#store.trash
            .all()
            .filter((row) => row.keepMs < KEPT_MS)
            .filter((row) => row.kind === kind && this.#store.lives.where(({ restore }) => restore?.from === row.life).length === 0)
            .map((row) => this.trashed(row));
    }

    /** What a life stands on. */
    usedBy(row: Described): readonly LifeRow[] {
        return Object.values(row.uses).flatMap((life) => this.#store.lives.get(life) ?? []);
    }

    /** Kept data whose ground is kept as well, or in the trash: not mounted, so that nothing can be done with them by themselves. */
    liesOnKept(row: Described & Pick<LifeRow, "desired">): boolean {
        if (row.desired !== "kept") return false;
        return Object.values(row.uses).some(
            (life) => this.#store.trash.get(life) !== undefined || this.#store.lives.get(life)?.desired === "kept",
        );
    }

    /** Everything that stands on a life, the nearest first. */
    standingOn(life: Life): readonly LifeRow[] {
        const direct = this.#store.lives.using(life);
        return [...direct, ...direct.flatMap((row) => this.standingOn(row.life))];
    }
}

/** How a resource is called in a sentence. */
export const called = (row: { readonly kind: string; readonly name: string }): string => `${row.kind} "${row.name}"`;
