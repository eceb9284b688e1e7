import { BackendError } from "./backend.ts";
import { nameOf } from "./backend-url.ts";
import { hashOf } from "./batch.ts";
import { grownBy } from "./grown.ts";
import { METADATA_SCRUB_AT_ONCE } from "./limits.ts";
import { type InTurn, Passes } from "./passes.ts";
import type { Replica } from "./replicas.ts";
import type { Surroundings } from "./surroundings.ts";
import { countOfValues, type TidyingParts, trueValue, valuesAfter } from "./tidying.ts";

/** What a scrub found in the metadata. */
export interface ScrubbedValues {
    readonly values: number;
    readonly badValues: number;
}

/**
 * Reads every value that the chain in force names on each metadata replica within the interval, and compares it with the hash that the chain has of it. One
 * that is not what it should be is written again from a replica that has it right: who only lists keys does not see what has become of their values.
 */
export class MetadataScrubber {
    private readonly parts: TidyingParts;
    private readonly surroundings: Surroundings;
    private readonly passes: Passes;
    /** Of the last batch when the pass began: it ends however much is written meanwhile. */
    private lastSequence = 0;
    /** On each replica they count once. */
    checkedValues = 0;
    foundBad = 0;

    constructor(parts: TidyingParts, surroundings: Surroundings, intervalMs: number) {
        this.parts = parts;
        this.surroundings = surroundings;
        const things = {
            count: () => (parts.journal.live ? countOfValues(parts.journal.live) : 0),
            look: (after: string, count: number, at: (key: string) => void) => this.look(after, count, at),
        };
        this.passes = new Passes(things, surroundings.clock, intervalMs, METADATA_SCRUB_AT_ONCE);
    }

    round(): Promise<void> {
        return this.passes.round();
    }

    pass(inTurn: InTurn): Promise<ScrubbedValues> {
        const counters = (): ScrubbedValues => ({ values: this.checkedValues, badValues: this.foundBad });
        return grownBy(counters, () => this.passes.pass(inTurn));
    }

    private async look(after: string, count: number, at: (key: string) => void): Promise<boolean> {
        const { journal, replicas, view } = this.parts;
        // Whoever has been superseded knows nothing of what is live now.
        await journal.verify();
        const { live } = journal;
        const { config } = view;
        if (live === undefined || config === undefined) throw new BackendError("refused", "the journal is being taken over");
        if (after === "") {
            await this.checkMarks();
            this.lastSequence = live.batches.at(-1)?.sequence ?? 0;
        }
        const values = valuesAfter(live, config, after, this.lastSequence, count + 1);
        for (const [text, hash] of values.slice(0, count)) {
            at(text);
            for (const replica of replicas.members) if (replica.counts) await this.check(replica, text, hash);
        }
        return values.length <= count;
    }

    /** One without a sound mark does not count from now on, and is filled with the next round: two of them would keep everybody out. */
    private async checkMarks(): Promise<void> {
        const { replicas } = this.parts;
        for (const replica of replicas.members) {
            if (!replica.counts) continue;
            try {
                await replicas.requireMember(replica);
            } catch (error) {
                if (!(error instanceof BackendError)) throw error;
                this.surroundings.log(`the mark of metadata replica ${nameOf(replica.url)} could not be compared: ${error.message}`);
            }
        }
    }

    private async check(replica: Replica, text: string, hash: Buffer): Promise<void> {
        try {
            const found = await valueAt(replica, text, hash);
            this.checkedValues++;
            if (found === "right") return;
            // Whoever has missed something is brought up to date by tidying.
            if (found === "absent") {
                replica.missed++;
                return;
            }
            this.foundBad++;
            await replica.backend.set(Buffer.from(text, "latin1"), await trueValue(this.parts.replicas, replica, text, hash));
            if ((await valueAt(replica, text, hash)) !== "right") throw new BackendError("refused", "it does not keep what it is given");
        } catch (error) {
            if (!(error instanceof BackendError)) throw error;
            this.surroundings.log(
                `a value of metadata replica ${nameOf(replica.url)} could not be compared or made right: ${error.message}`,
            );
        }
    }
}

/** What is wrong twice is wrong where it lies, and not by the way. */
async function valueAt(replica: Replica, text: string, hash: Buffer): Promise<"right" | "wrong" | "absent"> {
    const first = await valueOnce(replica, text, hash);
    return first === "wrong" ? valueOnce(replica, text, hash) : first;
}

async function valueOnce({ backend }: Replica, text: string, hash: Buffer): Promise<"right" | "wrong" | "absent"> {
    try {
        const value = await backend.get(Buffer.from(text, "latin1"));
        if (value === undefined) return "absent";
        return hashOf(value).equals(hash) ? "right" : "wrong";
    } catch (error) {
        // Its server has found out by itself.
        if (error instanceof BackendError && error.failure === "damaged") return "wrong";
        throw error;
    }
}
