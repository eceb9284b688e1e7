import { isSessionId, type MachineId, type SessionId } from "../../protocol/ids.ts";
import type { Clock } from "../clock.ts";
import { Database } from "./database.ts";
import { Events } from "./events.ts";
import { CorruptStore } from "./failures.ts";
import { Lives } from "./lives.ts";
import { RunningTime } from "./running-time.ts";
import type { Seal } from "./sealing.ts";
import { SessionEpochs } from "./sessions.ts";
import { Tenants } from "./tenants.ts";
import { Trash } from "./trash.ts";

/** Desired state, durable before anything is done. */
export interface Store {
    /** The machine that it belongs to; undefined in a new one. */
    readonly machine: MachineId | undefined;
    readonly sessions: SessionEpochs;
    readonly tenants: Tenants;
    readonly lives: Lives;
    readonly trash: Trash;
    readonly events: Events;
    readonly running: RunningTime;
    /** All of it or nothing, and on the disk when it returns. */
    transaction<T>(act: () => T): T;
    /** The same, on the disk a moment later: whoever tells somebody of it, or does something because of it, waits for `durable` first. */
    soon<T>(act: () => T): T;
    /** Resolves once everything that has been written is on the disk; rejects when that failed, and it is as if it had never been written. */
    durable(): Promise<void>;
    /** Answers when all that was written meanwhile is on the disk. Rejects when some of it was lost. */
    durably<T>(act: () => Promise<T>): Promise<T>;
    /** Hears of every finished transaction, for tests that cut the power there. */
    onCommit(hear: () => void): void;
    /** The agent takes itself away as soon as nothing is left. */
    leaving(): boolean;
    /** `after`: once that session has ended in order, since until then its engine may not have saved that the Node is gone. */
    setLeaving(leaving: boolean | { readonly after: SessionId }): void;
    /** The session after whose end the agent leaves. */
    leavingAfter(): SessionId | undefined;
    belongTo(machine: MachineId): void;
    /** Size of the database, what waits in its log left out. */
    bytes(): number;
    close(): void;
}

const LEAVING = { true: "yes", false: "no" } as const;

/** Throws CorruptStore. */
export const openStore = (path: string, seal: Seal, clock: Clock): Store => {
    const db = Database.open(path);
    try {
        const meta = (key: string) => db.row("meta", "where key = ?", key)?.value;
        const setMeta = (key: string, value: string) => db.put("meta", { key, value });
        const trash = new Trash(db, seal);
        const running = new RunningTime(db, clock);
        return {
            get machine() {
                return meta("machine") as MachineId | undefined;
            },
            sessions: new SessionEpochs(db),
            tenants: new Tenants(db),
            lives: new Lives(db, seal),
            trash,
            events: new Events(db),
            running,
            transaction: (act) => db.transaction(act),
            soon: (act) => db.soon(act),
            durable: () => db.durable(),
            durably: (act) => db.durably(act),
            onCommit: (hear) => db.onCommit(hear),
            leaving: () => meta("leaving") === "yes",
            setLeaving: (leaving) => setMeta("leaving", typeof leaving === "object" ? leaving.after : LEAVING[`${leaving}`]),
            leavingAfter: () => {
                const value = meta("leaving") as string | undefined;
                return isSessionId(value) ? value : undefined;
            },
            belongTo: (machine) => setMeta("machine", machine),
            bytes: () => Number(db.get("pragma page_count")?.page_count) * Number(db.get("pragma page_size")?.page_size),
            close: () => {
                try {
                    if (trash.all().length > 0) running.keep();
                } catch {
                    // A disk that takes nothing any more: what has not been counted keeps data longer.
                } finally {
                    db.close();
                }
            },
        };
    } catch (failure) {
        db.close();
        // The pages are sound, and what is in them is nothing that was ever written.
        if (failure instanceof SyntaxError || failure instanceof TypeError)
            throw new CorruptStore(`a row cannot be read: ${failure.message}`, { cause: failure });
        throw failure;
    }
};
