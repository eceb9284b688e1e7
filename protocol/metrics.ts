/** A family of figures, by the conventions of Prometheus: base units in the name, `_total` on what only grows. */
export interface FamilyNamed {
    readonly name: string;
    readonly help: string;
    readonly type: "gauge" | "counter" | "summary" | "histogram";
}

export type Suffix = "_sum" | "_count" | "_bucket";

export interface Sample {
    /** What follows the family's name: `_sum` and `_count` of a summary or histogram, and `_bucket` of the latter, whose label `le` is its bound. */
    readonly suffix?: Suffix;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
}

/** All figures of one name. */
export interface Family extends FamilyNamed {
    readonly samples: readonly Sample[];
}

/** The families of several nodes as one list, each family once, with labels added that tell the nodes apart. */
export const joined = (
    parts: readonly { readonly labels: Readonly<Record<string, string>>; readonly families: readonly Family[] }[],
): readonly Family[] => {
    const families = new Map<string, Family>();
    for (const { labels, families: own } of parts) {
        for (const family of own) {
            const samples = family.samples.map((sample) => ({ ...sample, labels: { ...labels, ...sample.labels } }));
            const known = families.get(family.name);
            families.set(family.name, { ...family, samples: [...(known?.samples ?? []), ...samples] });
        }
    }
    return [...families.values()];
};

/** The text that Prometheus scrapes (text exposition format 0.0.4). Families without figures are left out. */
export const prometheusText = (families: readonly Family[]): string =>
    families
        .filter(({ samples }) => samples.length > 0)
        .map(({ name, help, type, samples }) => {
            const lines = samples.map(({ suffix = "", labels, value }) => `${name}${suffix}${labelsText(labels)} ${valueText(value)}`);
            return [`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`, ...lines, ""].join("\n");
        })
        .join("");

const labelsText = (labels: Readonly<Record<string, string>>): string => {
    const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`);
    return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
};

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");

const valueText = (value: number): string => {
    if (Number.isNaN(value)) return "NaN";
    if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
    return String(value);
};
