import type { Welcome } from "../protocol/api.ts";
import type { ServerCall } from "../protocol/channel.ts";
import { asZeroformError, ZeroformError } from "../protocol/errors.ts";
import type { SessionId } from "../protocol/ids.ts";
import { LAUNCHER } from "../protocol/layout.ts";
import { PROTOCOLS_UNDERSTOOD, VERSION } from "../protocol/version.ts";
import type { Call, Core } from "./api/core.ts";
import { remaining } from "./api/nodes.ts";
import { Sessions } from "./api/sessions.ts";
import type { Clock } from "./clock.ts";
import { KeyedLock } from "./keyed-lock.ts";
import { Meters } from "./meters.ts";
import type { Os } from "./os/os.ts";
import type { Drivers } from "./reconciler/drivers.ts";
import { machinery } from "./reconciler/machinery.ts";
import { Reconciler } from "./reconciler/reconciler.ts";
import type { Custody } from "./store/custody.ts";
import { untrusted } from "./store/failures.ts";
import type { Store } from "./store/store.ts";

export interface AgentParts {
    readonly custody: Custody;
    readonly os: Os;
    readonly drivers: Drivers;
    readonly clock: Clock;
    readonly random: () => number;
    /** Content hash of the running bundle. */
    readonly agentHash: string;
    /** Units that run an older bundle than this one. */
    readonly awaitingRestart: () => Promise<readonly string[]>;
    /** Nothing is left on this machine for the agent to do. */
    readonly leave: () => void;
}

/** Who was greeted by the name that this machine had before is greeted anew, after the answer that says so. */
const RENAMED_MS = 250;

/** The agent on its machine: whether it may work, and with what. */
export class Agent {
    readonly parts: AgentParts;
    readonly meters = new Meters();
    /** Sessions with an open channel, by channel. */
    readonly #channels = new Map<object, SessionId>();
    readonly #leaveSession = new Map<object, () => void>();
    readonly #hangUp = new Map<object, () => void>();
    #core: Core | undefined;

    constructor(parts: AgentParts) {
        this.parts = parts;
    }

    start(): void {
        const { held } = this.parts.custody;
        if (held.state === "ok") this.#begin(held.store);
    }

    async stop(): Promise<void> {
        await this.#core?.reconciler.stop();
        this.parts.custody.close();
    }

    /** What a channel hears first. */
    welcome(session: SessionId | undefined, protocol?: number): Welcome {
        const { custody, agentHash } = this.parts;
        const { held } = custody;
        return {
            machine: custody.machine,
            protocols: PROTOCOLS_UNDERSTOOD,
            ...(protocol === undefined ? {} : { protocol }),
            agentVersion: VERSION,
            agentHash,
            epoch: this.#epochOf(session),
            store: held.state,
            ...(held.state === "ok" ? {} : { storeReason: held.reason }),
        };
    }

    /** A session that cannot be written down can still look; every operation of it says why it cannot do more. */
    #epochOf(session: SessionId | undefined): number {
        const { held } = this.parts.custody;
        if (held.state !== "ok" || session === undefined) return 0;
        try {
            return held.store.sessions.epoch(session);
        } catch (failure) {
            console.error(`a session cannot be written down: ${asZeroformError(failure).message}`);
            return 0;
        }
    }

    /** A channel has opened, and can be closed from here; the answer is called when it has closed. */
    opened(channel: object, session: SessionId | undefined, hangUp: () => void): () => void {
        this.#hangUp.set(channel, hangUp);
        if (session) {
            this.#channels.set(channel, session);
            this.#join(channel, session);
        }
        return () => {
            this.#channels.delete(channel);
            this.#hangUp.delete(channel);
            this.#leaveSession.get(channel)?.();
            this.#leaveSession.delete(channel);
            this.#core?.reconciler.resume(channel);
        };
    }

    /** Everything operations need. Throws when the store is not this machine's or not sound. */
    get core(): Core {
        if (this.#core) return this.#core;
        throw this.#refusal();
    }

    /** A Node may begin anew where the store was lost; then this machine is another one. */
    coreForNewNode(): Core {
        if (this.parts.custody.held.state === "lost") this.#beginAnew();
        return this.core;
    }

    /** Says what a copied disk is. Without need it changes nothing. */
    claim(as: "same" | "new"): void {
        const { custody } = this.parts;
        if (custody.held.state !== "copied") return;
        if (as === "new") {
            this.#beginAnew();
            return;
        }
        const held = custody.claimSame();
        if (held.state === "ok") this.#begin(held.store);
    }

    /** A call that may change something, of a session that is still there. */
    callOf(session: SessionId | undefined, { signal, progress }: ServerCall): Call {
        if (session === undefined)
            throw new ZeroformError({ code: "INVALID", message: "an observer may only ask for status, trash and known nodes" });
        if (this.#core?.store.sessions.hasEnded(session))
            throw new ZeroformError({ code: "SUPERSEDED", message: "this session has ended, and does nothing any more" });
        return { session, signal, progress };
    }

    #beginAnew(): void {
        const { custody, clock } = this.parts;
        this.#begin(custody.startEmpty());
        const greeted = [...this.#hangUp.values()];
        clock.after(RENAMED_MS, () => {
            for (const hangUp of greeted) hangUp();
        });
    }

    #begin(store: Store): void {
        const { clock, os, drivers, random, custody } = this.parts;
        const parts = machinery(store, os, drivers, clock, this.meters);
        store.sessions.spare(() => this.#channels.values());
        const onRemoved = () => {
            if (store.leaving() && remaining({ store }) === "removed") this.parts.leave();
        };
        const reconciler = new Reconciler(parts, random, onRemoved);
        const sessions = new Sessions(clock, (session) => store.sessions.hasEnded(session));
        this.#core = {
            machine: custody.machine,
            formerly: (machine) => custody.formerly(machine),
            store,
            parts,
            reconciler,
            sessions,
            clock,
            lock: new KeyedLock(),
            awaited: new Map(),
            measuring: new Map(),
            onRemoved,
        };
        for (const [channel, session] of this.#channels) this.#join(channel, session);
        reconciler.start();
    }

    #join(channel: object, session: SessionId): void {
        const left = this.#core?.sessions.opened(session);
        if (left) this.#leaveSession.set(channel, left);
    }

    #refusal(): ZeroformError {
        const { held, machine } = this.parts.custody;
        const reason = held.state === "ok" ? "" : held.reason;
        if (held.state === "corrupt") return untrusted(reason);
        if (held.state === "copied")
            return new ZeroformError({
                code: "MACHINE_CHANGED",
                message: `this machine has the disk of ${machine}, and is another one: ${reason}`,
                hint: `Run \`zeroform machine same --host <address>\` (or \`${LAUNCHER} claim same\` on it) if it is the same installation on other hardware, with \`new\` instead of \`same\` if it is a copy that is a machine of its own.`,
            });
        return new ZeroformError({
            code: "MACHINE_CHANGED",
            message: `the agent on this machine has lost its desired state: ${reason}`,
            hint: "Put the file back and restart zeroform-agent, or change `machine` of the Node: it then begins anew, and never touches the data that are there.",
        });
    }
}
