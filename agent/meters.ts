import type { Family, FamilyNamed, Sample } from "../protocol/metrics.ts";

type Labels = Readonly<Record<string, string>>;

interface Tally {
    readonly family: FamilyNamed;
    readonly labels: Labels;
    count: number;
    sum: number;
}

/** What the agent counts while it runs. In memory: counters begin anew with every start, as those who read them expect. */
export class Meters {
    readonly #tallies = new Map<string, Tally>();

    /** Something has happened once more. Labels come from small fixed sets, never from a user. */
    count(family: FamilyNamed & { readonly type: "counter" }, labels: Labels = {}): void {
        this.#tally(family, labels).count++;
    }

    /** Something took so long, or was so large. */
    observe(family: FamilyNamed & { readonly type: "summary" }, value: number, labels: Labels = {}): void {
        const tally = this.#tally(family, labels);
        tally.count++;
        tally.sum += value;
    }

    families(): readonly Family[] {
        const byName = Map.groupBy(this.#tallies.values(), ({ family }) => family.name);
        return [...byName.values()].flatMap((tallies) => {
            const family = tallies[0]?.family;
            return family === undefined ? [] : [{ ...family, samples: tallies.flatMap(samplesOf) }];
        });
    }

    #tally(family: FamilyNamed, labels: Labels): Tally {
        const key = JSON.stringify([family.name, labels]);
        const known = this.#tallies.get(key);
        if (known) return known;
        const tally = { family, labels, count: 0, sum: 0 };
        this.#tallies.set(key, tally);
        return tally;
    }
}

const samplesOf = ({ family, labels, count, sum }: Tally): readonly Sample[] =>
    family.type === "counter"
        ? [{ labels, value: count }]
        : [
              { suffix: "_sum", labels, value: sum },
              { suffix: "_count", labels, value: count },
          ];
