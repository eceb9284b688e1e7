import { type Backend, BackendError, keysOf } from "./backend.ts";
import { identityOf } from "./backend-url.ts";
import { reached } from "./failpoint.ts";
import { Figures } from "./figures.ts";
import { openMembership } from "./membership.ts";
import { MEMBER_KEY } from "./metadata-key.ts";
import { StoreError } from "./object-api.ts";
import { type OwnStore, valueOrDamaged } from "./owner.ts";
import type { Connect } from "./pool.ts";
import type { WriterId } from "./record.ts";
import type { Clock } from "./surroundings.ts";
import { timedBackend } from "./timed-backend.ts";

/** What a replica lists: the keys, as latin1 text. */
export type Listing = ReadonlySet<string>;

/** Namespaces that hold the metadata, and how many of them have to agree. */
export interface ReplicaSet {
    readonly metadata: readonly string[];
    readonly writeQuorum: number;
}

/** One metadata namespace. */
export class Replica {
    readonly url: string;
    readonly backend: Backend;
    /** Of requests to it. */
    readonly figures: Figures;
    /** False when it answers and bears no mark of a member: nothing that it says counts until it has been filled. */
    counts = true;
    /** Whose epoch it had when it was asked last: one that has an earlier one later was put back to an older state. */
    seenWriter: WriterId | undefined;
    /** Writes that it has missed since it was last made whole. */
    missed = 0;

    constructor(url: string, { connect, clock }: ReplicasParts) {
        this.url = url;
        this.figures = new Figures(clock);
        this.backend = timedBackend(connect(url), this.figures);
    }

    get isBehind(): boolean {
        return this.missed > 0;
    }
}

interface Voters {
    readonly members: readonly Replica[];
    readonly quorum: number;
}

export interface ReplicasParts extends OwnStore {
    readonly connect: Connect;
    readonly clock: Clock;
}

/**
 * The metadata namespaces of a store, asked and written together. While one set of them takes the place of another there are two sets, and
 * everything has to be true in both.
 */
export class Replicas {
    private readonly parts: ReplicasParts;
    private sets: readonly Voters[] = [];
    private isMarked = false;
    /** Times that they became other ones: what was written before such a time was written to others. */
    changes = 0;

    constructor(parts: ReplicasParts) {
        this.parts = parts;
    }

    /** Of all sets, each once. */
    get members(): Replica[] {
        return [...new Set(this.sets.flatMap(({ members }) => members))];
    }

    get behind(): Replica[] {
        return this.members.filter(({ isBehind }) => isBehind);
    }

    /**
     * Takes these sets from now on; what is under way goes on with those before. `isMarked`: members bear marks, which stores of format 1.0
     * did not. True when anything is other than before.
     */
    configure(sets: readonly ReplicaSet[], isMarked: boolean): boolean {
        for (const { metadata, writeQuorum } of sets) checkQuorum(writeQuorum, metadata.length);
        const known = this.members;
        const before = this.described();
        const made = new Map<string, Replica>();
        const replicaAt = (url: string): Replica => {
            const identity = identityOf(url);
            const there = made.get(identity) ?? known.find((replica) => replica.url === url) ?? new Replica(url, this.parts);
            made.set(identity, there);
            return there;
        };
        this.sets = sets.map(({ metadata, writeQuorum }) => ({ members: metadata.map(replicaAt), quorum: writeQuorum }));
        this.isMarked = isMarked;
        const now = this.members;
        for (const replica of known) if (!now.includes(replica)) replica.backend.close();
        if (before === this.described()) return false;
        this.changes++;
        return true;
    }

    close(): void {
        for (const { backend } of this.members) backend.close();
    }

    /** Settles when a quorum has it; the others get it too when they can. */
    async write(key: Uint8Array, value: Uint8Array): Promise<void> {
        await this.ask(async (replica) => {
            try {
                await replica.backend.set(key, value);
                reached("replica: one has it");
            } catch (error) {
                replica.missed++;
                throw error;
            }
            // It has this now, and still not what it had before.
            if (!replica.counts) throw notCounting();
        }, "written to");
    }

    /** The same, but only on those that count at that moment: what makes one of them the writer's must be nowhere else. */
    async writeToMembers(key: Uint8Array, value: Uint8Array): Promise<void> {
        await this.ask(async (replica) => {
            await this.requireMember(replica);
            await replica.backend.set(key, value);
        }, "written to");
    }

    /** Answers of a quorum at least, by replica. */
    read<T>(question: (replica: Replica) => Promise<T>): Promise<Map<Replica, T>> {
        return this.ask(question, "read from");
    }

    /** Answers of a quorum of replicas that count. */
    readMembers<T>(question: (replica: Replica) => Promise<T>): Promise<Map<Replica, T>> {
        return this.read(async (replica) => {
            await this.requireMember(replica);
            return question(replica);
        });
    }

    /** Keys of a quorum at least. */
    list(): Promise<Map<Replica, Listing>> {
        return this.readMembers(async ({ backend }) => {
            const keys = new Set<string>();
            for await (const { key } of keysOf(backend)) keys.add(key.toString("latin1"));
            return keys;
        });
    }

    /** The first value that is what it should be, from the replicas in that order; undefined when none of those that answered has it. */
    async find<T>(key: Buffer, among: Iterable<Replica>, accept: (value: Buffer) => T | undefined): Promise<T | undefined> {
        for (const { backend } of among) {
            const value = await backend.get(key).catch(nothingFrom);
            const accepted = value && accept(value);
            if (accepted !== undefined) return accepted;
        }
        return undefined;
    }

    /** Whether so many of those that answered have it that it may have been acknowledged. */
    mayBeTrue(holders: readonly Replica[]): boolean {
        return this.sets.some(({ members, quorum }) => {
            const overlap = 2 * quorum - members.length;
            return holders.filter((holder) => members.includes(holder)).length >= overlap;
        });
    }

    /** It has missed something, also when it does not know. */
    noticeLoss(replica: Replica): void {
        if (this.isMarked) replica.counts = false;
        replica.missed++;
    }

    /** Rejects when what this one holds does not count: it has lost its data or its mark, or was removed. */
    async requireMember(replica: Replica): Promise<void> {
        if (!this.isMarked) return;
        const { keys, storeId } = this.parts;
        const value = await valueOrDamaged(replica.backend, MEMBER_KEY);
        const mark = value && openMembership(keys, storeId, value);
        replica.counts = mark?.standing === "member";
        if (replica.counts) return;
        replica.missed++;
        throw notCounting();
    }

    private ask<T>(question: (replica: Replica) => Promise<T>, verb: string): Promise<Map<Replica, T>> {
        const { sets, members } = this;
        const answers = new Map<Replica, T>();
        const refusals = new Map<Replica, string>();
        return new Promise((resolve, reject) => {
            const hasQuorum = ({ members: all, quorum }: Voters) => all.filter((each) => answers.has(each)).length >= quorum;
            const hasNone = ({ members: all, quorum }: Voters) => all.filter((each) => !refusals.has(each)).length < quorum;
            for (const replica of members) {
                question(replica).then(
                    (answer) => {
                        answers.set(replica, answer);
                        // A copy: who has this one must not see later answers come in.
                        if (sets.every(hasQuorum)) resolve(new Map(answers));
                    },
                    (error: Error) => {
                        refusals.set(replica, error.message);
                        const failed = sets.find(hasNone);
                        if (failed) reject(noQuorum(failed, verb, refusals));
                    },
                );
            }
        });
    }

    private described(): string {
        const sets = this.sets.map(({ members, quorum }) => [quorum, ...members.map(({ url }) => url)]);
        return JSON.stringify([this.isMarked, sets]);
    }
}

function noQuorum({ members, quorum }: Voters, verb: string, refusals: ReadonlyMap<Replica, string>): StoreError {
    const words = members.flatMap((replica, index) => {
        const refusal = refusals.get(replica);
        return refusal === undefined ? [] : [`${index + 1}: ${refusal}`];
    });
    return new StoreError(
        "no-quorum",
        `${quorum} of ${members.length} metadata replicas have to be ${verb}, and ${words.length} do not answer (${words.join("; ")})`,
    );
}

function notCounting(): BackendError {
    return new BackendError("refused", "it has lost what it held, or was taken out, and does not count until it is filled");
}

/** A replica that does not answer has nothing to say; whatever else goes wrong is a defect. */
function nothingFrom(error: unknown): undefined {
    if (!(error instanceof BackendError)) throw error;
}

/** Two quorums have to meet. */
export function checkQuorum(quorum: number, replicas: number): void {
    if (quorum > replicas || 2 * quorum <= replicas)
        throw new StoreError("invalid", `a write quorum of ${quorum} of ${replicas} metadata namespaces is not safe`);
}
