import type { Backend } from "./backend.ts";
import type { ValueSize } from "./latency.ts";
import { HEDGE_KEPT_MS, HEDGE_LEAST_MS, HEDGE_MS, HEDGE_QUANTILE, SLOW_FACTOR } from "./limits.ts";
import { type Member, PoolMember } from "./member.ts";
import type { Candidate } from "./placement.ts";
import type { BackendConfig } from "./store-record.ts";
import type { Surroundings } from "./surroundings.ts";

export type Connect = (url: string) => Backend;

/** The data backends of a store, and how they are: from what is asked of them, and from probes. */
export class Pool {
    private readonly surroundings: Surroundings;
    private readonly connect: Connect;
    private readonly members = new Map<number, PoolMember>();
    private readonly hedges = new Map<ValueSize, { readonly ms: number; readonly atMs: number }>();
    /** Reads that asked another backend because one was late. */
    hedgedReads = 0;
    /** Shards that were written to another backend too because one was late. */
    hedgedWrites = 0;

    constructor(connect: Connect, surroundings: Surroundings) {
        this.connect = connect;
        this.surroundings = surroundings;
    }

    /** Takes the backends that are configured, lets go of others, and asks all how they are. */
    async configure(configs: readonly BackendConfig[]): Promise<void> {
        for (const [id, member] of this.members) {
            if (configs.some((config) => config.id === id && config.url === member.config.url)) continue;
            member.close();
            this.members.delete(id);
        }
        for (const config of configs) {
            const known = this.members.get(config.id);
            if (known) known.config = config;
            else this.members.set(config.id, new PoolMember(config, this.connect(config.url), this.surroundings));
        }
        await Promise.all([...this.members.values()].map((member) => member.probe()));
    }

    /** Asks all that are thought to answer: for whoever wants to know how things are now. */
    async askAll(): Promise<void> {
        await Promise.all([...this.members.values()].flatMap((member) => (member.breaker.isClosed ? [member.probe()] : [])));
    }

    member(id: number): Member | undefined {
        return this.members.get(id);
    }

    all(): Member[] {
        return [...this.members.values()];
    }

    isUp(id: number): boolean {
        const member = this.members.get(id);
        return member !== undefined && member.downSinceMs === undefined;
    }

    /** Where something new may go. */
    candidates(): Candidate[] {
        return [...this.members.values()].flatMap((member) =>
            member.refusal === undefined && !member.tardiness.isOverdue ? [member.candidate()] : [],
        );
    }

    /** Its writes take much longer than those of others, or did lately. */
    isTardy(id: number): boolean {
        return this.members.get(id)?.tardiness.isTardy ?? false;
    }

    /** As placement sees it, also when nothing new may go there. */
    candidate(id: number): Candidate | undefined {
        return this.members.get(id)?.candidate();
    }

    /**
     * After how long a read of that size is late: what 95 of 100 take on the middle one of the backends that answer. The middle one, so that a minority of
     * slow backends does not make slowness usual.
     */
    hedgeMs(size: ValueSize): number {
        const nowMs = this.surroundings.clock.steadyMs();
        const known = this.hedges.get(size);
        if (known && nowMs - known.atMs < HEDGE_KEPT_MS) return known.ms;
        const measured = [...this.members.values()]
            .flatMap(({ breaker, latency }) => (breaker.isClosed ? [latency.quantile(size, HEDGE_QUANTILE)] : []))
            .filter((ms) => ms !== undefined)
            .sort((a, b) => a - b);
        const ms = Math.max(HEDGE_LEAST_MS, measured[Math.floor((measured.length - 1) / 2)] ?? HEDGE_MS);
        this.hedges.set(size, { ms, atMs: nowMs });
        return ms;
    }

    /** In which order backends are asked: the fastest first, slow ones after all others, those that are down last. Ranks of one class are the same thing. */
    rank(id: number, size: ValueSize): { readonly class: "usual" | "slow" | "down"; readonly expectedMs: number } {
        const member = this.members.get(id);
        if (!member?.breaker.isClosed) return { class: "down", expectedMs: Number.POSITIVE_INFINITY };
        const expectedMs = member.latency.expectedMs(size) ?? 0;
        return { class: expectedMs > SLOW_FACTOR * this.hedgeMs(size) ? "slow" : "usual", expectedMs };
    }

    close(): void {
        for (const member of this.members.values()) member.close();
    }
}
