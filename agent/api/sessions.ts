import type { SessionId, TenantId } from "../../protocol/ids.ts";
import { type Clock, pause } from "../clock.ts";

/** How long a session whose last channel has closed may stay away: a dropped connection comes back within it, a dead process does not. */
export const SESSION_GRACE_MS = 2_000;
/** How often it is looked whether a session that is waited for has ended. */
const LOOK_MS = 100;

/** Which provider processes are there, and which have ended. */
export class Sessions {
    readonly #clock: Clock;
    readonly #saidEnd: (session: SessionId) => boolean;
    readonly #channels = new Map<SessionId, number>();
    readonly #lostAt = new Map<SessionId, number>();
    /** Whom each session with an open channel has called for. */
    readonly #tenants = new Map<SessionId, Set<TenantId>>();
    readonly #startedAt: number;

    constructor(clock: Clock, saidEnd: (session: SessionId) => boolean) {
        this.#clock = clock;
        this.#saidEnd = saidEnd;
        this.#startedAt = clock.uptime();
    }

    /** A channel of it has opened; the answer is called when that has closed. */
    opened(session: SessionId): () => void {
        this.#channels.set(session, (this.#channels.get(session) ?? 0) + 1);
        this.#lostAt.delete(session);
        return () => {
            const left = (this.#channels.get(session) ?? 1) - 1;
            if (left > 0) return void this.#channels.set(session, left);
            this.#channels.delete(session);
            this.#tenants.delete(session);
            this.#lostAt.set(session, this.#clock.uptime());
            this.#forgetOld();
        };
    }

    worksFor(session: SessionId, tenant: TenantId): void {
        if (!this.#channels.has(session)) return;
        this.#tenants.set(session, (this.#tenants.get(session) ?? new Set()).add(tenant));
    }

    /** Whether a session that is there now, other than the asker's own, has called for this tenant. */
    isWorkedFor(tenant: TenantId, asker?: SessionId): boolean {
        return [...this.#tenants].some(([session, tenants]) => session !== asker && tenants.has(tenant) && !this.#saidEnd(session));
    }

    /** It has said so, or its last channel closed and it did not come back. When the agent has just started, all sessions are yet to come back. */
    hasEnded(session: SessionId): boolean {
        if (this.#saidEnd(session)) return true;
        if (this.#channels.has(session)) return false;
        return this.#clock.uptime() - (this.#lostAt.get(session) ?? this.#startedAt) >= SESSION_GRACE_MS;
    }

    /** Waits until all of them have ended; answers whether they have. */
    async ended(sessions: readonly SessionId[], waitMs: number, signal: AbortSignal): Promise<boolean> {
        const until = this.#clock.uptime() + waitMs;
        while (!sessions.every((session) => this.hasEnded(session))) {
            if (signal.aborted || this.#clock.uptime() >= until) return false;
            await pause(this.#clock, LOOK_MS, signal);
        }
        return true;
    }

    /** Those that were lost before the grace period count as lost at the start. */
    #forgetOld(): void {
        const old = this.#clock.uptime() - SESSION_GRACE_MS;
        if (this.#startedAt > old) return;
        for (const [session, lostAt] of this.#lostAt) if (lostAt <= old) this.#lostAt.delete(session);
    }
}
