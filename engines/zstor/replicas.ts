import { type Backend, BackendError, keysOf } from "./backend.ts";
import { reached } from "./failpoint.ts";
import { StoreError } from "./object-api.ts";

/** What a replica lists: the keys, as latin1 text. */
export type Listing = ReadonlySet<string>;

/** The metadata namespaces of a store, asked and written together. */
export class Replicas {
    readonly backends: readonly Backend[];
    readonly quorum: number;
    /** Those that have missed a write since they were last made whole. */
    readonly behind = new Set<number>();

    constructor(backends: readonly Backend[], quorum: number) {
        checkQuorum(quorum, backends.length);
        this.backends = backends;
        this.quorum = quorum;
    }

    /** Settles when W have it; the others get it too when they can. */
    async write(key: Uint8Array, value: Uint8Array): Promise<void> {
        await this.ask(async (backend, index) => {
            try {
                await backend.set(key, value);
                reached("replica: one has it");
            } catch (error) {
                this.behind.add(index);
                throw error;
            }
        }, "written to");
    }

    /** Answers of at least W, by replica. */
    read<T>(question: (backend: Backend, index: number) => Promise<T>): Promise<Map<number, T>> {
        return this.ask(question, "read from");
    }

    /** Keys of at least W. */
    list(): Promise<Map<number, Listing>> {
        return this.read(async (backend) => {
            const keys = new Set<string>();
            for await (const { key } of keysOf(backend)) keys.add(key.toString("latin1"));
            return keys;
        });
    }

    /** The first value that is what it should be, from the replicas in that order; undefined when none of those that answered has it. */
    async find<T>(key: Buffer, among: Iterable<number>, accept: (value: Buffer) => T | undefined): Promise<T | undefined> {
        for (const index of among) {
            const value = await this.backends[index]?.get(key).catch(nothingFrom);
            const accepted = value && accept(value);
            if (accepted !== undefined) return accepted;
        }
        return undefined;
    }

    /** How many of any W replicas have what is on W: what fewer list was never acknowledged. */
    get overlap(): number {
        return 2 * this.quorum - this.backends.length;
    }

    get all(): number[] {
        return this.backends.map((_, index) => index);
    }

    private ask<T>(question: (backend: Backend, index: number) => Promise<T>, verb: string): Promise<Map<number, T>> {
        const answers = new Map<number, T>();
        const refusals: string[] = [];
        return new Promise((resolve, reject) => {
            this.backends.forEach((backend, index) => {
                question(backend, index).then(
                    (answer) => {
                        answers.set(index, answer);
                        // A copy: who has this one must not see later answers come in.
                        if (answers.size === this.quorum) resolve(new Map(answers));
                    },
                    (error: Error) => {
                        refusals.push(`${index + 1}: ${error.message}`);
                        if (this.backends.length - refusals.length < this.quorum) reject(this.noQuorum(verb, refusals));
                    },
                );
            });
        });
    }

    private noQuorum(verb: string, refusals: readonly string[]): StoreError {
        const { length } = this.backends;
        return new StoreError(
            "no-quorum",
            `${this.quorum} of ${length} metadata replicas have to be ${verb}, and ${refusals.length} do not answer (${refusals.join("; ")})`,
        );
    }
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
