import type { Context } from "./driver.ts";
import type { ZMount } from "./zmount-places.ts";

/** Data of a ZMount in the trash. */
export interface TrashedOn<M extends ZMount> {
    readonly resource: M;
    readonly place: string;
}

/** What differs with where a ZMount has its space from, in the words of a driver's contract. */
export interface Space<M extends ZMount> {
    admit(wanted: M, old: ZMount | undefined, context: Context): Promise<void>;
    apply(resource: M, context: Context): Promise<void>;
    trashPlace(resource: M): string;
    trashPlaceNow(resource: M, context: Context): Promise<string | undefined>;
    keptPlace(resource: M): string;
    remove(resource: M, place: string | undefined, context: Context): Promise<void>;
    trashedBytes(trashed: TrashedOn<M>, context: Pick<Context, "os">): Promise<number>;
    purge(trashed: TrashedOn<M>, context: Context): Promise<void>;
    restore(trashed: TrashedOn<M>, into: M, own: string, context: Context): Promise<void>;
    units(resource: M): readonly string[];
}
