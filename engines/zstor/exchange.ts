import { type Backend, BackendError, keysOf } from "./backend.ts";
import { identityOf } from "./backend-url.ts";
import { FIRST_CONFIGURATION } from "./bootstrap.ts";
import { BoundedBackend } from "./bounded-backend.ts";
import { reached } from "./failpoint.ts";
import { EXCHANGE_LONGEST_PAUSE_MS, EXCHANGE_PAUSE_MS, REMOVED_FORGOTTEN_MS, WIPES_AT_ONCE } from "./limits.ts";
import { sealMembership } from "./membership.ts";
import { EPOCH_KEY, MEMBER_KEY, parseKey } from "./metadata-key.ts";
import { StoreError } from "./object-api.ts";
import { ownerOf } from "./owner.ts";
import type { Connect } from "./pool.ts";
import type { Replica, ReplicaSet } from "./replicas.ts";
import type { StoreConfig } from "./store-record.ts";
import type { Surroundings } from "./surroundings.ts";
import { type Filling, fillReplica, type TidyingParts, tidyReplica } from "./tidying.ts";
import { epochOf } from "./writer.ts";

export interface ExchangeParts extends TidyingParts {
    readonly surroundings: Surroundings;
    readonly connect: Connect;
    /** As the journal names it. */
    readonly config: () => StoreConfig;
    reconfigure(change: Partial<StoreConfig>): Promise<void>;
    /** With the credentials of today. */
    currentUrl(url: string): string;
}

/** One namespace in the place of another, one more, or one less; or the same ones with another quorum. */
interface Step {
    readonly joining: string | undefined;
    readonly leaving: string | undefined;
}

export interface ExchangeProgress {
    readonly joining?: string;
    readonly leaving?: string;
    /** `filling`: the old set alone is in force; `both`: everything has to be true in both. */
    readonly phase: "filling" | "both";
    readonly values: number;
    readonly copied: number;
    /** What kept it the last time that it was tried. */
    readonly why?: string;
}

/**
 * Brings the metadata namespaces of a store to those that are wanted, one at a time. A new one is filled before it counts. Then a store
 * record that names both sets is put in force by a quorum of each, and once a quorum of the new set is whole, another one that names the new
 * set alone. Whatever it is cut off in, one of these records is in force, and goes on from there. FORMAT.md says why that is safe.
 */
export class Exchange {
    private readonly parts: ExchangeParts;
    private wanted: ReplicaSet | undefined;
    private step: Step | undefined;
    private readonly filling: Filling = { values: 0, copied: 0 };
    private why: string | undefined;
    /** Could not join when it was tried last: others come first. */
    private readonly refused = new Set<string>();
    private pause = { untilMs: 0, ms: EXCHANGE_PAUSE_MS / 2 };

    constructor(parts: ExchangeParts) {
        this.parts = parts;
    }

    /** From now on the store is brought to these. Until somebody says so it stays with those that it has. */
    want(wanted: ReplicaSet): void {
        this.wanted = wanted;
    }

    /** The list of replicas is somebody's will, not only what the store was found by. */
    get isWanted(): boolean {
        return this.wanted !== undefined;
    }

    /** Undefined when nothing is left to do. */
    get progress(): ExchangeProgress | undefined {
        const { previous, metadata } = this.parts.config();
        const step = previous ? stepBetween(previous.metadata, metadata) : (this.step ?? this.nextStep());
        if (step === undefined) return undefined;
        const { joining, leaving } = step;
        return {
            phase: previous ? "both" : "filling",
            ...this.filling,
            ...(joining === undefined ? {} : { joining }),
            ...(leaving === undefined ? {} : { leaving }),
            ...(this.why === undefined ? {} : { why: this.why }),
        };
    }

    /** As far as it can be brought now; tries again later what cannot. True when something was changed. */
    async round(): Promise<boolean> {
        const { surroundings, config } = this.parts;
        const { clock } = surroundings;
        if (clock.nowMs() < this.pause.untilMs) return false;
        const before = config().generation;
        try {
            await this.everything();
            this.why = undefined;
            this.pause = { untilMs: 0, ms: EXCHANGE_PAUSE_MS / 2 };
            return config().generation !== before;
        } catch (error) {
            if (!(error instanceof StoreError || error instanceof BackendError)) throw error;
            this.why = error.message;
            if (this.step?.joining !== undefined) this.refused.add(this.step.joining);
            const ms = Math.min(EXCHANGE_LONGEST_PAUSE_MS, this.pause.ms * 2);
            this.pause = { untilMs: clock.nowMs() + ms, ms };
            throw error;
        } finally {
            this.step = undefined;
        }
    }

    private async everything(): Promise<void> {
        const { config } = this.parts;
        if (config().configuration === undefined) await this.markAll();
        if (config().previous) await this.finish();
        for (let step = this.nextStep(); step; step = this.nextStep()) {
            this.step = step;
            await this.begin(step);
            await this.finish();
        }
        await this.tellRemoved();
    }

    /** A store of the first version gets marks, and from then on only replicas that have one count. */
    private async markAll(): Promise<void> {
        const { replicas, config } = this.parts;
        const { whole, refusals } = await this.madeWhole(replicas.members, (replica) =>
            fillReplica(this.parts, { backend: replica.backend, itself: replica }, FIRST_CONFIGURATION),
        );
        if (whole < config().writeQuorum) throw tooFew(whole, config().writeQuorum, refusals);
        await this.parts.reconfigure({ configuration: FIRST_CONFIGURATION });
    }

    /** Fills what joins, and puts both sets in force. */
    private async begin({ joining, leaving }: Step): Promise<void> {
        const { config, reconfigure, currentUrl } = this.parts;
        const { metadata, writeQuorum, configuration = FIRST_CONFIGURATION, removed = [] } = config();
        if (joining !== undefined) await this.fill(joining, configuration + 1);
        reached("exchange: filled, not in force");
        const replaced = metadata.flatMap((url) => (url === leaving ? (joining ?? []) : url));
        const next = leaving === undefined && joining !== undefined ? [...metadata, joining] : replaced;
        await reconfigure({
            metadata: next.map(currentUrl),
            writeQuorum: this.quorumOf(next.length),
            configuration: configuration + 1,
            previous: { metadata, writeQuorum },
            removed: removed.filter(({ url }) => joining === undefined || identityOf(url) !== identityOf(joining)),
        });
        reached("exchange: both sets in force");
    }

    private async fill(url: string, configuration: number): Promise<void> {
        const { connect, surroundings } = this.parts;
        const backend = new BoundedBackend(connect(url), surroundings.clock);
        try {
            const { mode } = await backend.info();
            if (mode !== "user") throw new BackendError("refused", `it is in ${mode} mode: metadata need a namespace in user mode`);
            await fillReplica(this.parts, { backend }, configuration, this.filling);
        } finally {
            backend.close();
        }
    }

    /** Once a quorum of the new set has everything, it stands alone. */
    private async finish(): Promise<void> {
        const { replicas, journal, config, reconfigure, surroundings } = this.parts;
        const { metadata, writeQuorum, previous, configuration = FIRST_CONFIGURATION, removed = [] } = config();
        if (previous === undefined) return;
        await journal.verify();
        const { live } = journal;
        if (live === undefined) throw new BackendError("refused", "the journal is being taken over");
        const staying = new Set(metadata.map(identityOf));
        const members = replicas.members.filter(({ url }) => staying.has(identityOf(url)));
        const { whole, refusals } = await this.madeWhole(members, (replica) =>
            replica.counts
                ? tidyReplica(this.parts, replica, live)
                : fillReplica(this.parts, { backend: replica.backend, itself: replica }, configuration),
        );
        if (whole < writeQuorum) throw tooFew(whole, writeQuorum, refusals);
        reached("exchange: new set whole, not alone");
        const leaving = previous.metadata.filter((url) => !staying.has(identityOf(url)));
        const sinceMs = surroundings.clock.nowMs();
        await reconfigure({ previous: undefined, removed: [...removed, ...leaving.map((url) => ({ url, sinceMs }))] });
        reached("exchange: new set alone");
    }

    private async madeWhole(members: readonly Replica[], work: (replica: Replica) => Promise<void>) {
        const refusals: string[] = [];
        for (const [index, replica] of members.entries()) {
            try {
                await work(replica);
            } catch (error) {
                if (!(error instanceof BackendError)) throw error;
                refusals.push(`${index + 1}: ${error.message}`);
            }
        }
        return { whole: members.length - refusals.length, refusals };
    }

    /** Those that were taken out are told, and emptied: neither a stale front end nor an older secret may find anything there. */
    private async tellRemoved(): Promise<void> {
        const { config, reconfigure, surroundings } = this.parts;
        const { removed = [] } = config();
        const left: typeof removed = [];
        const nowMs = surroundings.clock.nowMs();
        for (const each of removed) {
            try {
                await this.wipe(each.url);
            } catch (error) {
                if (!(error instanceof BackendError)) throw error;
                // One that does not answer for so long is gone; nothing depends on its being told.
                if (nowMs - each.sinceMs < REMOVED_FORGOTTEN_MS) left.push(each);
            }
        }
        if (left.length < removed.length) await reconfigure({ removed: left });
    }

    private async wipe(url: string): Promise<void> {
        const { connect, surroundings, journal, keys, storeId, config } = this.parts;
        const backend: Backend = new BoundedBackend(connect(url), surroundings.clock);
        try {
            // It has been emptied by somebody, or is another store's by now.
            if ((await ownerOf({ keys, storeId }, backend)) !== "this") return;
            await journal.verify();
            const { configuration = FIRST_CONFIGURATION } = config();
            await backend.set(MEMBER_KEY, sealMembership(keys, storeId, { standing: "outside", configuration }));
            reached("exchange: taken out, not emptied");
            await backend.delete(EPOCH_KEY);
            const left: Buffer[] = [];
            for await (const { key } of keysOf(backend)) {
                const parsed = parseKey(key);
                if (parsed && parsed.kind !== "epoch" && parsed.kind !== "member" && epochOf(parsed.writer) <= journal.epoch)
                    left.push(key);
            }
            while (left.length > 0) {
                // Another front end may have taken it in again.
                await journal.verify();
                for (const key of left.splice(0, WIPES_AT_ONCE)) await backend.delete(key);
            }
        } finally {
            backend.close();
        }
    }

    private nextStep(): Step | undefined {
        const { wanted } = this;
        const { metadata, writeQuorum } = this.parts.config();
        if (wanted === undefined) return undefined;
        const refusal = refusalOf(metadata, wanted.metadata);
        if (refusal !== undefined) return undefined;
        if (without(wanted.metadata, metadata).every((url) => this.refused.has(url))) this.refused.clear();
        const step = stepBetween(metadata, wanted.metadata, {
            isRefused: (url) => this.refused.has(url),
            isInDoubt: (url) => this.isInDoubt(url),
        });
        if (step) return step;
        return writeQuorum === wanted.writeQuorum ? undefined : { joining: undefined, leaving: undefined };
    }

    /** Why what is wanted is not done at all. */
    get refusal(): string | undefined {
        return this.wanted && refusalOf(this.parts.config().metadata, this.wanted.metadata);
    }

    private isInDoubt(url: string): boolean {
        const replica = this.parts.replicas.members.find((each) => identityOf(each.url) === identityOf(url));
        return replica === undefined || replica.isBehind || !replica.counts;
    }

    private quorumOf(replicas: number): number {
        return this.wanted?.metadata.length === replicas ? this.wanted.writeQuorum : defaultQuorum(replicas);
    }
}

/** One that lies is tolerated from four on, one that is down from three on. */
export function defaultQuorum(replicas: number): number {
    return replicas === 3 ? 2 : replicas - Math.floor((replicas - 1) / 3);
}

/** A list that is much too short was meant to find the store by, or is a mistake. */
function refusalOf(now: readonly string[], wanted: readonly string[]): string | undefined {
    if (wanted.length >= now.length - 1) return undefined;
    return `the store has ${now.length} metadata namespaces and ${wanted.length} are listed: it gives up one at a time, so list at least ${now.length - 1}`;
}

interface Knowledge {
    isRefused(url: string): boolean;
    isInDoubt(url: string): boolean;
}

/** Of those that leave one that is in doubt goes first. */
function stepBetween(now: readonly string[], wanted: readonly string[], known?: Knowledge): Step | undefined {
    const join = without(wanted, now);
    const leave = without(now, wanted);
    const joining = join.find((url) => !known?.isRefused(url)) ?? join[0];
    const leaving = leave.find((url) => known?.isInDoubt(url)) ?? leave[0];
    return joining === undefined && leaving === undefined ? undefined : { joining, leaving };
}

function without(all: readonly string[], others: readonly string[]): string[] {
    const known = new Set(others.map(identityOf));
    return all.filter((url) => !known.has(identityOf(url)));
}

function tooFew(whole: number, quorum: number, refusals: readonly string[]): BackendError {
    return new BackendError("refused", `${quorum} metadata replicas have to have everything, and ${whole} have (${refusals.join("; ")})`);
}
