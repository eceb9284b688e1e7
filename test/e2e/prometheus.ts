const NAME = /^[a-z_:][a-z0-9_:]*$/i;
const SAMPLE = /^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|\+Inf|NaN)$/i;
const LABEL = /([a-z_][a-z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/gi;
/** What a unit at the end of a name may be (prometheus.io/docs/practices/naming). */
const BASE_UNITS = /_(?:bytes|seconds|info|total|ratio)(?:_total)?$/;
const UNITLESS = /_(?:up|ok|ready|success|entries|items|resources|tenants)$/;

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
            if (!["gauge", "counter", "summary"].includes(rest)) throw new Error(`not a type: ${line}`);
            family.type = rest;
            checkName(name, rest);
        } else {
            const sample = sampleOf(line);
            if (family?.type === undefined || !belongs(sample.name, family.name, family.type))
                throw new Error(`not of the family before: ${line}`);
            const key = JSON.stringify([sample.name, Object.entries(sample.labels).toSorted()]);
            if (seen.has(key)) throw new Error(`twice the same: ${line}`);
            seen.add(key);
            samples.push(sample);
        }
    }
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

const belongs = (name: string, family: string, type: string): boolean =>
    type === "summary" ? [`${family}_sum`, `${family}_count`].includes(name) : name === family;

const checkName = (name: string, type: string): void => {
    if (!name.startsWith("zeroform_")) throw new Error(`${name} has not the prefix zeroform_`);
    if (name.endsWith("_total") !== (type === "counter")) throw new Error(`${name} is a ${type}: only counters end with _total`);
    if (!BASE_UNITS.test(name) && !UNITLESS.test(name)) throw new Error(`${name} has no unit at its end`);
};
