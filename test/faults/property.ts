import { expect, it } from "vitest";
import type { HostInfo } from "../../dev/hosts/index.ts";
import { parseResourceId } from "../../protocol/ids.ts";
import { AgentSession } from "../e2e/agent.ts";
import { host, machineOf, sh } from "../e2e/hosts.ts";
import { CliOperator } from "./cli-operator.ts";
import type { Fault, Scene } from "./fault.ts";
import { Footprint } from "./footprint.ts";
import { Foreign } from "./foreign.ts";
import { Ledger } from "./ledger.ts";
import { must, type Operator } from "./operator.ts";
import { Random } from "./random.ts";
import { SmallEngine } from "./small-engine.ts";
import { putSpareDisk } from "./spare-disk.ts";
import { firstWanted, nextWanted, type Wanted } from "./wanted.ts";

export const RUNS = Number(process.env.ZEROFORM_FAULT_RUNS ?? 8);
/** The programs take a whole disk of the host too: more to break, and to put right. */
const WITH_DEVICE = process.env.ZEROFORM_FAULT_DEVICE !== undefined;
export const RUN_LIMIT_MS = 180_000;
/** What has to be done by hand may be more than one thing, and each is said when the one before is done. */
const REMEDIES_MAX = 3;

/** States that the next `up` puts right, or names what a person has to do; nothing acknowledged is lost, nothing foreign touched, nothing leaks. */
export const property = (fault: Fault): void => {
    const seed = Number(process.env.ZEROFORM_SEED ?? Math.floor(Math.random() * 2 ** 31));
    it(`${fault.name}: ${RUNS} runs (ZEROFORM_SEED=${seed})`, { timeout: RUNS * RUN_LIMIT_MS }, async () => {
        const began = performance.now();
        const on = await host();
        const foreign = await Foreign.put(on);
        const device = WITH_DEVICE ? await putSpareDisk(on) : undefined;
        await fault.prepare?.(on);
        const untouched = await Footprint.of(on);
        // The real CLI has the first run of each; the others have it a stack of their own.
        const parts = fault.operator === "cli" ? [RUNS] : [Math.min(1, RUNS), RUNS - 1];
        for (const [index, runs] of parts.entries()) {
            await using operator = fault.operator === "cli" || index === 0 ? await CliOperator.create() : new SmallEngine();
            const random = new Random(seed + index);
            const course = new Course(fault, on, operator, foreign, random, `seed ${seed}`);
            await course.take(firstWanted(machineOf(on), random, device), runs, index === 0 ? 1 : 2);
            expect(await untouched.leaked(), `${fault.name}, seed ${seed}: left on ${on.name} after destroy`).toEqual([]);
        }
        const seconds = (performance.now() - began) / 1_000;
        console.log(`${fault.name}: seed ${seed}, ${RUNS} runs in ${seconds.toFixed(0)} s`);
    });
};

/** A stack through runs of one fault, from nothing to nothing. */
class Course {
    readonly #fault: Fault;
    readonly #host: HostInfo;
    readonly #operator: Operator;
    readonly #foreign: Foreign;
    readonly #random: Random;
    readonly #ledger: Ledger;
    readonly #label: string;
    #urls: Readonly<Record<string, string>> = {};

    constructor(fault: Fault, on: HostInfo, operator: Operator, foreign: Foreign, random: Random, label: string) {
        this.#fault = fault;
        this.#host = on;
        this.#operator = operator;
        this.#foreign = foreign;
        this.#random = random;
        this.#ledger = new Ledger(random);
        this.#label = label;
    }

    async take(first: Wanted, runs: number, firstRun: number): Promise<void> {
        let wanted = first;
        await must(this.#operator.up(wanted));
        this.#urls = await this.#operator.urls();
        await this.#ledger.write(this.#urls);
        for (let run = firstRun; run < firstRun + runs; run++) {
            const label = `${this.#fault.name}, ${this.#label}, run ${run}`;
            wanted = nextWanted(wanted, this.#random, run + 1);
            const step = JSON.stringify({ disks: wanted.disks, zdbs: wanted.zdbs });
            try {
                await this.#run(wanted);
            } catch (failure) {
                throw new Error(`${label} towards ${step}: ${failure instanceof Error ? failure.message : failure}`, { cause: failure });
            }
        }
        await must(this.#operator.destroy());
    }

    async #run(wanted: Wanted): Promise<void> {
        const undo: (() => Promise<unknown>)[] = [];
        const clear: (() => Promise<unknown>)[] = [];
        let isDisowned = false;
        const scene: Scene = {
            host: this.#host,
            random: this.#random,
            operator: this.#operator,
            wanted,
            sh: (line) => sh(this.#host, line),
            operate: (next = wanted) => this.#operator.up(next),
            disown: () => {
                isDisowned = true;
            },
            undo: (act) => undo.push(act),
            clear: (act) => clear.push(act),
        };
        const kept = Object.entries(this.#urls).filter(([name]) => wanted.zdbs.some((zdb) => zdb.name === name));
        this.#ledger.forgetAllBut(kept.map(([name]) => name));
        const stopWriting = this.#fault.writes === false ? undefined : this.#ledger.keepWriting(Object.fromEntries(kept));
        try {
            await this.#fault.strike(scene);
        } finally {
            await stopWriting?.();
            if (isDisowned) this.#ledger.forgetAllBut([]);
            for (const act of undo.reverse()) await act();
        }
        try {
            await this.#converge(scene);
        } finally {
            for (const act of clear.reverse()) await act();
        }
        await this.#judge();
        await this.#ledger.write(this.#urls);
    }

    /**
     * The next `up` makes it so, or it is said what to do, and that helps. A run that has nothing to do contacts nobody, so what stands in
     * the way may be said by the refresh that finds nothing left to be done otherwise.
     */
    async #converge(scene: Scene): Promise<void> {
        const operator = this.#operator;
        if (this.#fault.refreshes) await operator.changes(scene.wanted);
        for (let remedies = 0; ; remedies++) {
            const { ok, said } = await operator.up(scene.wanted);
            const words = ok ? Object.entries(await operator.changes(scene.wanted)).map((each) => each.join(": ")) : [said];
            if (words.length === 0) return;
            const remedy = this.#fault.remedies?.find((each) => words.some((word) => each.said.test(word)));
            if (!remedy || remedies === REMEDIES_MAX)
                throw new Error(`it did not converge, and nothing was said that helps:\n${words.join("\n")}`);
            await remedy.apply(scene);
        }
    }

    async #judge(): Promise<void> {
        this.#urls = await this.#operator.urls();
        expect(await this.#ledger.missing(this.#urls), "nothing acknowledged is lost").toEqual([]);
        expect(await this.#foreign.touched(), "nothing foreign is touched").toEqual([]);
        await using agent = new AgentSession(this.#host);
        const { resources, tenants } = await agent.status();
        const known = (await this.#operator.ids()).flatMap((id) => parseResourceId(id)?.life ?? []);
        expect(resources.map(({ life }) => life).sort(), "the node has what the state has").toEqual(known.sort());
        expect(resources.filter(({ state }) => state !== "ready").map(({ name, reasons }) => ({ name, reasons }))).toEqual([]);
        expect(tenants, "the node knows one Node").toHaveLength(1);
    }
}
