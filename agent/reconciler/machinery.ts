import type { Clock } from "../clock.ts";
import type { Meters } from "../meters.ts";
import type { Os, Work } from "../os/os.ts";
import type { Context } from "../primitives/driver.ts";
import type { LifeRow } from "../store/lives.ts";
import type { ResourceKind } from "../store/rows.ts";
import type { Store } from "../store/store.ts";
import type { Drivers } from "./drivers.ts";
import { Inventory } from "./inventory.ts";
import { Observer } from "./observer.ts";
import { PackageKeeper } from "./package-keeper.ts";
import { TrashKeeper } from "./trash-keeper.ts";

/** What every step on a resource works with. */
export interface Machinery {
    readonly store: Store;
    readonly os: Os;
    readonly drivers: Drivers;
    readonly clock: Clock;
    readonly inventory: Inventory;
    readonly observer: Observer;
    readonly packages: PackageKeeper;
    readonly trash: TrashKeeper;
    readonly meters: Meters;
    /** What a driver is given. */
    context(work: Work): Context;
    /** Writes down what happened, and to which resource. */
    tell(what: string, words: string, about?: Pick<LifeRow, "life" | "kind" | "name">): void;
}

const EVENTS = { name: "zeroform_events_total", help: "Events by what happened.", type: "counter" } as const;

export const machinery = (store: Store, os: Os, drivers: Drivers, clock: Clock, meters: Meters): Machinery => {
    const inventory = new Inventory(store);
    const tell: Machinery["tell"] = (what, words, about) => {
        const subject = about ? { life: about.life, name: about.name } : {};
        meters.count(EVENTS, { what });
        store.events.add({ at: clock.now(), what, detail: [about?.kind, words].filter(Boolean).join(": "), ...subject });
    };
    const context = (work: Work): Context => ({
        os,
        signal: work.signal,
        progress: work.progress,
        resources: (kind) => inventory.resources(kind as ResourceKind),
        leaving: (kind) => inventory.leaving(kind as ResourceKind),
        trash: (kind) => inventory.trash(kind as ResourceKind),
        purgeNow: (trashed) => trash.purge(trashed.resource.life, "its room was needed", work),
    });
    const trash: TrashKeeper = new TrashKeeper({ store, inventory, drivers, os, clock, context, tell });
    return {
        store,
        os,
        drivers,
        clock,
        inventory,
        observer: new Observer(os, drivers, inventory),
        packages: new PackageKeeper(os, tell),
        trash,
        meters,
        context,
        tell,
    };
};
