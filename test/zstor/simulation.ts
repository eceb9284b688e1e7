import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { StoreError } from "../../engines/zstor/object-api.ts";
import type { Store } from "../../engines/zstor/store.ts";
import { pause } from "../../engines/zstor/surroundings.ts";
import { SMALL_STRIPES, someContent } from "./contents.ts";
import { areWhole, BACKENDS, Faults, SPARES } from "./faults.ts";
import { type Content, judge, Knowledge } from "./knowledge.ts";
import { Marks } from "./marks.ts";
import { backendsOf, METADATA, MemoryStore, piecesOf, read, SETTINGS } from "./memory-store.ts";
import { DEAD_AFTER_MS, Mortal, openMortal } from "./mortal.ts";
import { SeededRandom } from "./random.ts";
import { verifyRemoved, verifyReplicas, verifyShards } from "./whole-store.ts";

const NAMES = ["a", "b", "c/1", "c/2", "d"];
const STEPS = 25;

const WRITE_QUORUM = 3;

export interface SimulationResult {
    readonly acknowledged: number;
    readonly refused: number;
    readonly reads: number;
}

/**
 * One random history of a store: operations of one or two front ends, and faults within the promise (M backends, one metadata replica) or, for a
 * while, beyond it. Throws when an acknowledged object does not come back byte for byte, or when anything but the right bytes or an error is answered.
 */
export async function simulate(seed: number): Promise<SimulationResult> {
    const random = new SeededRandom(seed ^ 0x5eed);
    const memory = new MemoryStore(seed);
    const hasSmallStripes = random.chance(0.15);
    const settings = { ...SETTINGS, ...(hasSmallStripes ? SMALL_STRIPES : {}), keepGenerations: 1 + random.below(2) };
    await memory.create({ backends: backendsOf(BACKENDS), settings });
    const history = new History(memory, random, hasSmallStripes);
    await history.begin();
    for (let step = 0; step < STEPS; step++) await history.step();
    await history.heal();
    await history.verifyAll();
    return history.result;
}

/** Waits before the last piece. */
async function* withPause(pieces: AsyncIterable<Buffer>, length: number, wait: () => Promise<void>): AsyncGenerator<Buffer> {
    let left = length;
    for await (const piece of pieces) {
        left -= piece.length;
        if (left === 0) await wait();
        yield piece;
    }
}

class History {
    private readonly memory: MemoryStore;
    private readonly random: SeededRandom;
    private readonly knowledge = new Knowledge();
    private readonly hasSmallStripes: boolean;
    private store: Store | undefined;
    private mortal = new Mortal();
    /** A front end that another has replaced, and that does not know. */
    private former: Store | undefined;
    private readonly faults: Faults;
    private readonly marks: Marks;
    private acknowledged = 0;
    private refused = 0;
    private reads = 0;
    private readonly snapshotBytes: number;
    /** Metadata namespaces that whoever runs the store lists, and listed before. */
    private wanted: readonly string[] = METADATA;
    private wantedBefore: readonly string[] = METADATA;
    /** More is broken than the store promises to bear: it may refuse, and still not lie. */
    private isBeyond = false;

    constructor(memory: MemoryStore, random: SeededRandom, hasSmallStripes: boolean) {
        this.memory = memory;
        this.random = random;
        this.hasSmallStripes = hasSmallStripes;
        this.faults = new Faults(memory, random);
        this.marks = new Marks(memory, () => [this.store, this.former].flatMap((store) => store ?? []));
        this.snapshotBytes = random.pick([1500, 20_000]);
    }

    get result(): SimulationResult {
        return { acknowledged: this.acknowledged, refused: this.refused, reads: this.reads };
    }

    async begin(): Promise<void> {
        this.store = await this.opened();
    }

    async step(): Promise<void> {
        await this.act();
        if (this.marks.defect) throw this.marks.defect;
    }

    private async act(): Promise<void> {
        const kind = this.random.below(28);
        if (kind < 7) return this.putSome();
        if (kind < 9) return this.remove();
        if (kind < 13) return this.verify(this.random.pick(NAMES));
        if (kind < 16) return this.faults.disturb(this.store, this.wanted);
        if (kind < 17) return this.restart();
        if (kind < 18) return this.secondFrontEnd();
        if (kind < 20) return this.exchange();
        if (kind < 22) return this.race(this.random.pick(NAMES));
        if (kind < 24) return this.cutOff();
        if (kind < 25) return this.beyond();
        if (kind < 26) return this.putBack();
        if (this.store && this.random.chance(0.7)) await this.care(this.store);
        await this.memory.clock.pass(this.random.pick([100, 5_000, 2 * DEAD_AFTER_MS]));
    }

    /** Something that a person asks for, while somebody reads. */
    private async care(store: Store): Promise<void> {
        const work = this.random.chance(0.5) ? store.caretaker.rebalance() : store.caretaker.repack();
        const name = this.random.pick(NAMES);
        const [, found] = await this.memory.clock.run(Promise.all([this.succeeded(work, store), this.found(store, name)]));
        judge(name, found, this.knowledge.possible(name));
    }

    /** Several at once, of different names: order among those of one name is not known. */
    private async putSome(): Promise<void> {
        const names = NAMES.filter(() => this.random.chance(0.4));
        await this.memory.clock.run(Promise.all(names.map((name) => this.put(this.store, name))));
        if (this.former && this.random.chance(0.5)) await this.memory.clock.run(this.put(this.former, this.random.pick(NAMES)));
    }

    private async put(store: Store | undefined, name: string, content = this.content()): Promise<boolean> {
        if (store === undefined) return false;
        const { knowledge, mortal } = this;
        knowledge.begins(name, content);
        if (!(await this.succeeded(store.put(name, this.pieces(content)), store)) || !mortal.isAlive) return false;
        knowledge.acknowledged(name, content);
        return true;
    }

    /** Now and then so slowly that its first stripes are old before they are named. */
    private pieces(content: Buffer): AsyncIterable<Buffer> {
        const { memory, random } = this;
        const slowMs = this.hasSmallStripes && random.chance(0.3) ? random.below(60_000) : 0;
        return slowMs === 0 ? piecesOf(content) : withPause(piecesOf(content), content.length, () => pause(memory.clock, slowMs));
    }

    private content(): Buffer {
        return someContent(this.random, this.hasSmallStripes);
    }

    private async remove(name = this.random.pick(NAMES)): Promise<void> {
        const { store } = this;
        if (store === undefined) return;
        this.knowledge.begins(name, undefined);
        if (await this.memory.clock.run(this.succeeded(store.remove(name), store))) this.knowledge.acknowledged(name, undefined);
    }

    /** Puts and removals of one name under way together: one of them comes last, and stays. */
    private async race(name: string): Promise<void> {
        const { store, knowledge, random, memory } = this;
        if (store === undefined) return;
        const before = knowledge.possible(name);
        const acknowledged: Content[] = [];
        const generations = new Map<number, Content>();
        const uncertain: Content[] = [];
        const attempt = async (content: Content) => {
            await new Promise<void>((resolve) => memory.clock.after(random.below(50), resolve));
            const put = async (bytes: Buffer) => {
                const { generation } = await store.put(name, piecesOf(bytes));
                if (generations.has(generation)) throw new Error(`two puts of ${name} are generation ${generation}`);
                generations.set(generation, bytes);
                return true;
            };
            const work = content ? put(content) : store.remove(name);
            let changed = true;
            const settled = await this.succeeded(
                work.then((did) => {
                    changed = did;
                }),
                store,
            );
            // A removal that found nothing did nothing.
            if (changed) (settled ? acknowledged : uncertain).push(content);
        };
        const contents = Array.from({ length: 2 + random.below(2) }, () => (random.chance(0.5) ? undefined : this.content()));
        for (const content of contents) knowledge.begins(name, content);
        await memory.clock.run(Promise.all(contents.map(attempt)));
        const possible = [...(acknowledged.length > 0 ? [] : before), ...acknowledged, ...uncertain];
        knowledge.oneOf(name, possible);
        if (uncertain.length > 0 || acknowledged.length === 0 || this.isBeyond) return;
        const found = await memory.clock.run(this.found(store, name));
        // Of those that are there the last one counts, whichever was acknowledged last.
        judge(name, found, [undefined, generations.get(Math.max(...generations.keys()))]);
        judge(name, found, possible);
        knowledge.acknowledged(name, found);
    }

    /** Killed in the middle of something; another front end goes on. */
    private async cutOff(): Promise<void> {
        const { store, random, memory, mortal } = this;
        if (store === undefined) return;
        const work = [
            () => Promise.all(NAMES.filter(() => random.chance(0.4)).map((name) => this.put(store, name))),
            () => this.succeeded(store.caretaker.repack(), store),
            () => this.succeeded(store.caretaker.rebalance(), store),
            () => store.caretaker.round(),
        ];
        const done = random.pick(work)();
        // What is wrong with it is a defect, also when nobody waits for it any more.
        let defect: unknown;
        done.catch((error: unknown) => {
            defect = error;
        });
        await memory.clock.pass(random.below(random.pick([30, 200, 2000])));
        if (defect !== undefined) throw defect;
        mortal.isAlive = false;
        this.former = undefined;
        this.store = undefined;
        this.store = await this.opened();
    }

    /** One metadata replica for another one, while whatever else comes, also another front end or the end of this one. */
    private async exchange(): Promise<void> {
        const { store, random, memory } = this;
        if (store === undefined || this.isBeyond) return;
        // Whoever wants the next one waits for the one before: a list that names too few of those in force finds no store.
        if (store.exchange.progress === undefined && areWhole(store)) {
            const leaving = random.pick(this.wanted);
            const joining = random.pick([...METADATA, ...SPARES].filter((url) => !this.wanted.includes(url)));
            this.wantedBefore = this.wanted;
            this.wanted = this.wanted.map((url) => (url === leaving ? joining : url));
            store.exchange.want({ metadata: this.wanted, writeQuorum: WRITE_QUORUM });
            // What leaves is lost meanwhile, and written to without its mark until it has left.
            if (random.chance(0.2)) memory.clock.after(random.below(200), () => memory.network.namespace(leaving).values.clear());
        }
        const round = store.caretaker.round();
        await memory.clock.pass(random.below(random.pick([100, 400, 5000])));
        const next = random.below(4);
        if (next === 0) return this.cutOff();
        if (next === 1) return this.secondFrontEnd();
        if (next === 2) await this.putSome();
        await memory.clock.run(round);
    }

    /** All metadata replicas are put back to an older state: a front end that has seen more says so, and finds everything once the newer one is there again. */
    private async putBack(): Promise<void> {
        const { faults, memory } = this;
        if (this.store === undefined || this.isBeyond) return;
        await faults.healReplicas();
        const viewPath = join(mkdtempSync(join(tmpdir(), "zstor-")), "view");
        try {
            await this.restart(viewPath);
            const store = this.store;
            const all = [...METADATA, ...SPARES];
            const older = faults.contentsOf(all);
            const sequence = store.view.head?.sequence;
            await this.putSome();
            const isSame = store.view.head?.sequence === sequence;
            this.store = undefined;
            await memory.clock.run(store.close());
            if (isSame) return;
            const newer = faults.contentsOf(all);
            for (const [url, values] of older) faults.putBack(url, values);
            this.isBeyond = true;
            const again = await this.attemptToOpen(viewPath);
            this.isBeyond = false;
            if (again) throw new Error("metadata that were put back are taken for the newest");
            // Whatever was written to the older ones is of epochs that never were in force.
            for (const [url, values] of newer) faults.putBack(url, values);
        } finally {
            await this.restart();
            rmSync(dirname(viewPath), { recursive: true });
        }
    }

    /** Two metadata replicas do not do what they should: nothing is true any more but what was, and all of it is there when they do again. */
    private async beyond(): Promise<void> {
        const { random } = this;
        await this.faults.healReplicas();
        this.isBeyond = true;
        const [one, other] = [...this.wanted].sort(() => random.fraction() - 0.5);
        for (const url of [one, other]) this.faults.spoil(url ?? "", random.below(4));
        for (let count = 0; count < 3; count++) {
            const kind = random.below(5);
            if (kind === 0) await this.putSome();
            if (kind === 1) await this.remove();
            if (kind === 2) await this.race(random.pick(NAMES));
            if (kind === 3) await this.verify(random.pick(NAMES));
            // It may take over or not, and may spoil it for the one that was there.
            if (kind === 4) this.store = (await this.attemptToOpen()) ?? this.store;
        }
        this.isBeyond = false;
        await this.faults.healReplicas();
        if (random.chance(0.5) || this.store?.journal.failure) await this.restart();
        for (const name of NAMES) await this.verify(name);
    }

    /** Errors of ours are answers; others are defects. */
    private async succeeded(work: Promise<unknown>, store: Store): Promise<boolean> {
        try {
            await work;
            this.acknowledged++;
            return true;
        } catch (error) {
            if (!(error instanceof StoreError)) throw error;
            this.refused++;
            if (error.failure === "superseded" && store === this.former) this.former = undefined;
            return false;
        }
    }

    private async verify(name: string): Promise<void> {
        const { store, knowledge, memory } = this;
        if (store === undefined) return;
        const possible = knowledge.possible(name);
        try {
            const found = await memory.clock.run(this.found(store, name));
            judge(name, found, possible);
            await this.verifyPart(store, name, found, possible);
        } catch (error) {
            if (!(this.isBeyond && error instanceof StoreError)) throw error;
            this.refused++;
        }
    }

    private async found(store: Store, name: string): Promise<Content> {
        this.reads++;
        try {
            return await read(store, name);
        } catch (error) {
            if (!(error instanceof StoreError) || (this.isBeyond && error.failure !== "not-found")) throw error;
            if (error.failure !== "not-found") throw new Error(`${name} cannot be read: ${error.message}`);
            return undefined;
        }
    }

    /** What was uncertain may have become true since the whole was read, but never is a part of two. */
    private async verifyPart(store: Store, name: string, whole: Content, possible: readonly Content[]): Promise<void> {
        if (whole === undefined || whole.length === 0) return;
        const offset = this.random.below(whole.length);
        const length = 1 + this.random.below(whole.length - offset);
        try {
            const part = await this.memory.clock.run(read(store, name, offset, length));
            if (!possible.some((content) => content && part.equals(content.subarray(offset, offset + length))))
                throw new Error(`a part of ${name} is of nothing that was put`);
        } catch (error) {
            if (!(error instanceof StoreError && error.failure === "not-found" && possible.includes(undefined))) throw error;
        }
    }

    private async restart(viewPath?: string): Promise<void> {
        const { store } = this;
        this.store = undefined;
        // In order, or left to go on with whatever it does.
        if (store && this.random.chance(0.5)) await this.memory.clock.run(store.close());
        this.former = undefined;
        this.store = await this.opened(viewPath);
    }

    private async secondFrontEnd(): Promise<void> {
        this.former = this.store;
        this.store = await this.opened();
    }

    private async opened(viewPath?: string): Promise<Store> {
        for (;;) {
            const store = await this.attemptToOpen(viewPath);
            if (store) return store;
            await this.memory.clock.pass(10_000);
        }
    }

    /** Undefined when it cannot be opened now. */
    private async attemptToOpen(viewPath = ":memory:"): Promise<Store | undefined> {
        const mortal = new Mortal();
        // Whoever lists what is wanted now may not know that it is not so yet.
        const given = [...new Set([...this.wanted, ...this.wantedBefore])];
        try {
            const store = await openMortal(mortal, this.memory, given, {
                snapshotBytes: this.snapshotBytes,
                viewPath,
                cache: this.faults.cache,
            });
            store.exchange.want({ metadata: this.wanted, writeQuorum: WRITE_QUORUM });
            store.caretaker.confirmSweep();
            store.caretaker.start();
            this.mortal = mortal;
            return store;
        } catch (error) {
            if (!(error instanceof StoreError)) throw error;
            if (!this.isBeyond && !["no-quorum", "superseded"].includes(error.failure)) throw error;
            this.refused++;
            return undefined;
        }
    }

    /** Everything answers again; what is owed is done. */
    async heal(): Promise<void> {
        this.faults.healEverything();
        await this.restart();
        await this.memory.clock.pass(6 * DEAD_AFTER_MS);
        if (this.marks.defect) throw this.marks.defect;
    }

    async verifyAll(): Promise<void> {
        for (const name of NAMES) await this.verify(name);
        const { store, memory, random } = this;
        if (store === undefined) throw new Error("no front end");
        this.knowledge.judgeList(store.list("").map(({ name }) => name));
        verifyShards(store, memory, BACKENDS);
        verifyReplicas(store, memory, this.wanted);
        verifyRemoved(store, memory, this.wanted);
        // Which of them is lost next makes no difference.
        memory.network.namespace(random.pick(this.wanted)).isDown = true;
        await this.restart();
        for (const name of NAMES) await this.verify(name);
    }
}
