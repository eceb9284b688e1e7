import { interrupted } from "./journal.ts";
import type { LayoutRecord } from "./record.ts";
import type { View } from "./view.ts";

/** Numbers layouts: the same places in the same order are one as long as a session lasts. */
export class Layouts {
    private readonly view: View;
    private readonly pending = new Map<string, LayoutRecord>();
    private session = -1;
    private last = 0;

    constructor(view: View) {
        this.view = view;
    }

    /**
     * The layout, which has to be committed with whatever names it, also when it is known: it may be dropped before that, for want of a stripe.
     * A new session forgets what was never committed, and an old one gets none: its numbers would be given twice.
     */
    of(session: number, dataShards: number, backends: readonly number[], moves: readonly number[] = backends.map(() => 0)): LayoutRecord {
        if (session < this.session) throw interrupted();
        if (session > this.session) this.restart(session);
        const parityShards = backends.length - dataShards;
        const key = keyOf({ dataShards, backends, moves });
        const known = this.pending.get(key);
        if (known) return known;
        this.last++;
        const record: LayoutRecord = { type: "layout", id: this.last, dataShards, parityShards, backends, moves };
        this.pending.set(key, record);
        return record;
    }

    private restart(session: number): void {
        this.session = session;
        this.pending.clear();
        this.last = 0;
        for (const layout of this.view.allLayouts()) {
            this.pending.set(keyOf(layout), layout);
            this.last = Math.max(this.last, layout.id);
        }
    }
}

function keyOf({ dataShards, backends, moves }: Pick<LayoutRecord, "dataShards" | "backends" | "moves">): string {
    return `${dataShards} ${backends.join(" ")} ${moves.join(" ")}`;
}
