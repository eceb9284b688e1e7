import { asZeroformError } from "../../protocol/errors.ts";
import type { Life } from "../../protocol/ids.ts";
import { KeyedLock } from "../keyed-lock.ts";
import type { Work } from "../os/os.ts";
import type { TrashRow } from "../store/trash.ts";
import { closeTenant } from "./close-tenant.ts";
import { called } from "./inventory.ts";
import type { Machinery } from "./machinery.ts";

/** How long after a purge that failed it is tried again. */
const RETRY_MS = 10 * 60_000;

type Parts = Pick<Machinery, "store" | "inventory" | "drivers" | "os" | "clock" | "context" | "tell">;

/** Lets go of removed data when their time has come. */
export class TrashKeeper {
    readonly #parts: Parts;
    readonly #lock = new KeyedLock();
    /** In milliseconds since the boot. */
    readonly #notBefore = new Map<Life, number>();

    constructor(parts: Parts) {
        this.#parts = parts;
    }

    /** Keeps everything else away from one piece of trash while `act` works on it. */
    holding<T>(life: Life, act: () => Promise<T>): Promise<T> {
        return this.#lock.run(life, act);
    }

    /** Somebody has been promised it back. */
    isWanted(life: Life): boolean {
        return this.#parts.store.lives.where(({ restore }) => restore?.from === life).length > 0;
    }

    /** Deletes for good, unless it is being restored. What lies on the data of this one goes with it. */
    purge(life: Life, because: string, work: Work): Promise<void> {
        return this.holding(life, async () => {
            const { store, drivers, inventory, context, tell } = this.#parts;
            const row = store.trash.get(life);
            if (!row || this.isWanted(life)) return;
            await drivers[row.kind].purge(inventory.trashed(row), context(work));
            store.transaction(() => {
                this.forgetOn(life, `purged with ${called(row)}`);
                store.trash.remove(life);
                tell("purged", because, row);
            });
            this.#notBefore.delete(life);
        });
    }

    /** Trash on data that are no more is no more, and so are kept data. */
    forgetOn(life: Life, why: string): void {
        const { store, tell } = this.#parts;
        for (const row of store.trash.using(life)) {
            store.trash.remove(row.life);
            tell("purged", why, row);
        }
        for (const row of store.lives.using(life).filter(({ desired }) => desired === "kept")) {
            store.lives.remove(row.life);
            tell("purged", why, row);
            closeTenant(store, row.tenant);
        }
    }

    /** Purges what is due. One that fails does not keep the others. */
    async purgeDue(work: Work): Promise<void> {
        const { store, clock, tell } = this.#parts;
        const now = clock.uptime();
        const runningMs = store.running.now();
        if (store.trash.all().length > 0) store.running.keepNowAndThen();
        for (const row of store.trash.all()) {
            if (row.cameAt + row.keepMs > runningMs || (this.#notBefore.get(row.life) ?? 0) > now) continue;
            if (this.isWanted(row.life) || this.#liesOutOfReach(row)) continue;
            try {
                await this.purge(row.life, "its time in the trash was over", work);
            } catch (failure) {
                // Once is enough to know it by.
                if (!this.#notBefore.has(row.life)) tell("broken", `it could not be purged: ${asZeroformError(failure).message}`, row);
                this.#notBefore.set(row.life, now + RETRY_MS);
            }
        }
    }

    /** It cannot be reached before what it lies on is, and goes with that: in the trash, or kept and not mounted. */
    #liesOutOfReach(row: TrashRow): boolean {
        const { trash, lives } = this.#parts.store;
        return Object.values(row.uses).some((life) => trash.get(life) !== undefined || lives.get(life)?.desired === "kept");
    }
}
