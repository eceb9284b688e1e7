import type { Surroundings } from "./surroundings.ts";

/** Drawn numbers of this length do not meet. */
export const MOVE_BYTES = 6;

/**
 * Numbers under which shards get new places. A backend may carry out a deletion long after it was asked, so no key that may have been
 * deleted is ever written again: not when a shard comes back to where it was, not after a sweep, not by the next front end. Within these
 * bounds a number is kept, so that stripes that move alike have one layout.
 */
export class MoveNumbers {
    private readonly random: Surroundings["random"];
    private current: number;

    constructor({ random }: Surroundings) {
        this.random = random;
        this.current = this.drawn();
    }

    /** For the next place of a shard that has the place with that number. */
    after(own: number): number {
        if (own === this.current) this.renew();
        return this.current;
    }

    /** Before keys are deleted that a move which came to nothing may have written. */
    renew(): void {
        this.current = this.drawn();
    }

    /** Not 0, which a shard has that was never moved. */
    private drawn(): number {
        return Math.max(1, this.random(MOVE_BYTES).readUIntBE(0, MOVE_BYTES));
    }
}
