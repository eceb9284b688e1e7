import { describe, expect, it } from "vitest";
import { parseResourceId } from "../../protocol/ids.ts";
import { AgentSession } from "../e2e/agent.ts";
import { host, machineOf } from "../e2e/hosts.ts";
import { CliOperator } from "./cli-operator.ts";
import { Footprint } from "./footprint.ts";
import { Foreign } from "./foreign.ts";
import { Ledger } from "./ledger.ts";
import { must, type Operator } from "./operator.ts";
import { RUN_LIMIT_MS, RUNS } from "./property.ts";
import { Random } from "./random.ts";
import { SmallEngine } from "./small-engine.ts";
import { firstWanted, nextWanted, type Wanted } from "./wanted.ts";

/** One of two who do not know of each other. */
interface Party {
    readonly operator: Operator;
    readonly ledger: Ledger;
    wanted: Wanted;
}

const seed = Number(process.env.ZEROFORM_SEED ?? Math.floor(Math.random() * 2 ** 31));

describe("two operators with a passphrase and a backend each, and equal names of project, stack and resources", () => {
    it(`work on one host at the same time: ${RUNS} runs (ZEROFORM_SEED=${seed})`, { timeout: RUNS * RUN_LIMIT_MS }, async () => {
        const began = performance.now();
        const on = await host();
        const foreign = await Foreign.put(on);
        const untouched = await Footprint.of(on);
        const random = new Random(seed);
        const party = (operator: Operator): Party => ({ operator, ledger: new Ledger(random), wanted: firstWanted(machineOf(on), random) });
        {
            await using one = await CliOperator.create("the one's");
            await using other = await CliOperator.create("the other's");
            await together(on, random, foreign, [party(one), party(other)], 1);
        }
        {
            await using one = new SmallEngine();
            await using other = new SmallEngine();
            await together(on, random, foreign, [party(one), party(other)], RUNS - 1);
        }
        expect(await untouched.leaked(), `seed ${seed}: left after both destroys`).toEqual([]);
        console.log(`two operators: seed ${seed}, ${RUNS} runs in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
    });
});

/** Both at once, from nothing to nothing; in the end one destroys while the other still works. */
const together = async (
    on: Awaited<ReturnType<typeof host>>,
    random: Random,
    foreign: Foreign,
    parties: readonly [Party, Party],
    runs: number,
): Promise<void> => {
    for (let run = 0; run <= runs; run++) {
        const label = `seed ${seed}, run ${run}`;
        await Promise.all(parties.map(({ operator, wanted }) => must(operator.up(wanted))));
        const ids: string[] = [];
        for (const { operator, ledger, wanted } of parties) {
            expect(await operator.changes(wanted), label).toEqual({});
            ledger.forgetAllBut(wanted.zdbs.map(({ name }) => name));
            const urls = await operator.urls();
            expect(await ledger.missing(urls), label).toEqual([]);
            await ledger.write(urls);
            ids.push(...(await operator.ids()));
        }
        await using agent = new AgentSession(on);
        const { resources, tenants } = await agent.status();
        expect(tenants, label).toHaveLength(2);
        expect(resources.map(({ life }) => life).sort(), label).toEqual(ids.map((id) => parseResourceId(id)?.life).sort());
        expect(await foreign.touched(), label).toEqual([]);
        for (const each of parties) each.wanted = nextWanted(each.wanted, random, run);
    }
    const [one, other] = parties;
    await Promise.all([must(one.operator.destroy()), must(other.operator.up(other.wanted))]);
    other.ledger.forgetAllBut(other.wanted.zdbs.map(({ name }) => name));
    expect(await other.ledger.missing(await other.operator.urls()), `seed ${seed}: after the one's destroy`).toEqual([]);
    await must(other.operator.destroy());
};
