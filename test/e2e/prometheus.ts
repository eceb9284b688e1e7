const NAME = /^[a-z_:][a-z0-9_:]*$/i;
const SAMPLE = /^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|\+Inf|NaN)$/i;
const LABEL = /([a-z_][a-z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/gi;
/** What a unit at the end of a name may be (prometheus.io/docs/practices/naming). */
const BASE_UNITS = /_(?:bytes|seconds|info|total|ratio)(?:_total)?$/;
const UNITLESS = /_(?:up|ok|ready|success|entries|items|resources|tenants|objects|stripes|replicas)$/;

interface Sample {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
}

export interface Exposition {
    readonly samples: readonly Sample[];
    /** The one sample of a name with these labels; fails when there is none, or another one. */
    value(name: string, labels: Readonly<Record<string, string>>): number;
}

/** Reads text by the letter of the exposition format 0.0.4, and fails at what a scraper or its linter would refuse. */
export const expositionOf = (text: string): Exposition => {
    if (!text.endsWith("\n")) throw new Error("the last line does not end");
    const samples: Sample[] = [];
    const seen = new Set<string>();
    const ended = new Set<string>();
    let family: { name: string; help: boolean; type?: string } | undefined;
    for (const line of text.slice(0, -1).split("\n")) {
        const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
        if (keyword === "HELP") {
            if (family) ended.add(family.name);
            if (!NAME.test(name) || ended.has(name)) throw new Error(`the family ${name} begins twice: ${line}`);
            family = { name, help: true };
        } else if (keyword === "TYPE") {
            if (family?.name !== name || family.type !== undefined) throw new Error(`a type in the wrong place: ${line}`);
            if (!["gauge", "counter", "summary", "histogram"].includes(rest)) throw new Error(`not a type: ${line}`);
            family.type = rest;
            checkName(name, rest);
        } else {
            const sample = sampleOf(line);
            if (family?.type === undefined || !belongs(sample.name, family.name, family.type))
                throw new Error(`not of the family before: ${line}`);
            const key = keyOf(sample.name, sample.labels);
            if (seen.has(key)) throw new Error(`twice the same: ${line}`);
            seen.add(key);
            samples.push(sample);
        }
    }
    checkHistograms(samples);
    const value = (name: string, labels: Readonly<Record<string, string>>): number => {
        const found = samples.filter(
            (sample) => sample.name === name && Object.entries(labels).every(([label, wanted]) => sample.labels[label] === wanted),
        );
        const [one, ...others] = found;
        if (!one || others.length > 0) throw new Error(`${found.length} samples of ${name} with ${JSON.stringify(labels)} in\n${text}`);
        return one.value;
    };
    return { samples, value };
};

const sampleOf = (line: string): Sample => {
    const [, name, labelText = "", value] = SAMPLE.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error(`not a sample: ${line}`);
    const labels = [...labelText.matchAll(LABEL)];
    if (labels.map(([whole]) => whole).join("") !== labelText) throw new Error(`not labels: ${line}`);
    return {
        name,
        value: Number(value.replace("Inf", "Infinity")),
        labels: Object.fromEntries(labels.map(([, label, text]) => [label, text])),
    };
};

const SUFFIXES: Readonly<Record<string, readonly string[]>> = { summary: ["_sum", "_count"], histogram: ["_sum", "_count", "_bucket"] };

const belongs = (name: string, family: string, type: string): boolean =>
    (SUFFIXES[type] ?? [""]).some((suffix) => name === `${family}${suffix}`);

/** The steps of each histogram ascend, in bounds and counts, to one without a bound that counts all. */
const checkHistograms = (samples: readonly Sample[]): void => {
    const buckets = samples.filter(({ name, labels }) => name.endsWith("_bucket") && labels.le !== undefined);
    const histograms = Map.groupBy(buckets, ({ name, labels: { le, ...whose } }) => keyOf(name.replace(/_bucket$/, ""), whose));
    for (const [histogram, steps] of histograms) {
        const bounds = steps.map(({ labels: { le } }) => Number((le ?? "").replace("Inf", "Infinity")));
        const all = samples.find(({ name, labels }) => name.endsWith("_count") && keyOf(name.replace(/_count$/, ""), labels) === histogram);
        if (!ascends(bounds) || !ascends(steps.map(({ value }) => value)) || bounds.at(-1) !== Number.POSITIVE_INFINITY)
            throw new Error(`steps that do not ascend: ${histogram}`);
        if (steps.at(-1)?.value !== all?.value) throw new Error(`steps and count that do not agree: ${histogram}`);
    }
};

const ascends = (values: readonly number[]): boolean => values.every((value, index) => index === 0 || value >= (values[index - 1] ?? 0));

const keyOf = (name: string, labels: Readonly<Record<string, string>>): string => JSON.stringify([name, Object.entries(labels).toSorted()]);

const checkName = (name: string, type: string): void => {
    if (!name.startsWith("zeroform_")) throw new Error(`${name} has not the prefix zeroform_`);
    if (name.endsWith("_total") !== (type === "counter")) throw new Error(`${name} is a ${type}: only counters end with _total`);
    if (!BASE_UNITS.test(name) && !UNITLESS.test(name)) throw new Error(`${name} has no unit at its end`);
};
