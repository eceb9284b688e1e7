import type { ServerCall } from "../../protocol/channel.ts";
import type { MachineId, SessionId } from "../../protocol/ids.ts";
import type { Clock } from "../clock.ts";
import type { KeyedLock } from "../keyed-lock.ts";
import type { Measurement } from "../primitives/driver.ts";
import type { Machinery } from "../reconciler/machinery.ts";
import type { Reconciler } from "../reconciler/reconciler.ts";
import type { Former } from "../store/custody.ts";
import type { Store } from "../store/store.ts";
import type { Sessions } from "./sessions.ts";

/** What every operation works on: this machine with a sound store. */
export interface Core {
    readonly machine: MachineId;
    /** What was put aside of a machine that this one was before. */
    readonly formerly: (machine: MachineId) => Former | undefined;
    readonly store: Store;
    readonly parts: Machinery;
    readonly reconciler: Reconciler;
    readonly sessions: Sessions;
    readonly clock: Clock;
    readonly lock: KeyedLock;
    /** Creates that somebody waits for at this moment, by operation. */
    readonly awaited: Map<string, number>;
    /** What is being measured at this moment, by kind. */
    readonly measuring: Map<string, Promise<readonly Measurement[]>>;
    /** Looks whether the agent has a reason to stay. */
    readonly onRemoved: () => void;
}

/** A call of a provider. */
export interface Call extends ServerCall {
    readonly session: SessionId;
}
