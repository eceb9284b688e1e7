import { WALK_OBJECTS } from "./limits.ts";
import type { ObjectId } from "./record.ts";

/** Of the objects that were looked at, those that something is to be done about, and where to go on; `after` undefined: those were the last ones. */
export interface WalkPage {
    readonly due: readonly ObjectId[];
    readonly after: string | undefined;
}

/**
 * Objects that something may have to be done about: all of them once, so many at a time, and from then on those that are named. To look at all of
 * them at every round takes longer than the round when there are a million.
 */
export class ObjectWalk {
    /** By which they were looked at last. */
    rule: number | undefined;
    private after: string | undefined;
    private readonly named = new Set<ObjectId>();

    /** From now on it has to be looked at. */
    name(object: ObjectId): void {
        this.named.add(object);
    }

    /** It needs nothing until it is named again. */
    done(object: ObjectId): void {
        this.named.delete(object);
    }

    /** All of them have to be looked at again. */
    restart(): void {
        this.rule = undefined;
        this.named.clear();
    }

    /** Those that are named and not done, with the next ones of all; another rule than before begins with all again. */
    next(rule: number, page: (after: string, limit: number) => WalkPage): ObjectId[] {
        if (rule !== this.rule) this.after = "";
        this.rule = rule;
        // What cannot be done as fast as it is found is not found any faster.
        if (this.after !== undefined && this.named.size < WALK_OBJECTS) {
            const { due, after } = page(this.after, WALK_OBJECTS);
            this.after = after;
            for (const object of due) this.named.add(object);
        }
        return [...this.named];
    }
}
