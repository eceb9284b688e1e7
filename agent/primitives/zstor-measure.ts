import type { FamilyNamed, Suffix } from "../../protocol/metrics.ts";
import type { Os } from "../os/os.ts";
import type { Measurement } from "./driver.ts";
import { frontEndOf, type ZStor } from "./zstor-places.ts";

/** A front end that takes longer is counted as down: whoever scrapes waits some seconds at most. */
const SILENCE_MS = 2_000;

const UP: FamilyNamed = { name: "zeroform_zstor_up", help: "Whether the front end of a dispersed store answers.", type: "gauge" };

/** Figures of all front ends, as each tells them itself. */
export const measureZStors = async (os: Os, resources: readonly ZStor[]): Promise<readonly Measurement[]> =>
    (await Promise.all(resources.map((resource) => measure(os, resource)))).flat();

const measure = async (os: Os, resource: ZStor): Promise<readonly Measurement[]> => {
    const told = await os.frontEnds.ask(frontEndOf(resource).socket, ["metrics"], SILENCE_MS).catch(() => undefined);
    if (told === undefined) return [{ family: UP, resource, value: 0 }];
    return [{ family: UP, resource, value: 1 }, ...parseFigures(String(told[0])).map((figure) => ({ ...figure, resource }))];
};

const HELP = /^# HELP (zstor_[a-z_]+) (.*)$/;
const TYPE = /^# TYPE (zstor_[a-z_]+) (gauge|counter|histogram)$/;
const SAMPLE = /^(zstor_[a-z_]+)(?:\{([^}]*)\})? (\S+)$/;
const LABEL = /([a-z_]+)="([^"]*)"/g;

const SUFFIX = /^(.*)(_bucket|_sum|_count)$/;

/** Gauges, counters and histograms of the text that Prometheus scrapes; what else may be in it is left out. */
export const parseFigures = (text: string): readonly Measurement[] => {
    const helps = new Map<string, string>();
    const families = new Map<string, FamilyNamed>();
    return text.split("\n").flatMap((line): readonly Measurement[] => {
        const [, helped, help = ""] = HELP.exec(line) ?? [];
        if (helped !== undefined) helps.set(helped, help);
        const [, typed, type] = TYPE.exec(line) ?? [];
        if (typed !== undefined && (type === "gauge" || type === "counter" || type === "histogram"))
            families.set(typed, { name: `zeroform_${typed}`, help: helps.get(typed) ?? "", type });
        const [, name = "", labels = "", value = ""] = SAMPLE.exec(line) ?? [];
        const [, base = "", suffix] = SUFFIX.exec(name) ?? [];
        const histogram = families.get(base)?.type === "histogram" ? families.get(base) : undefined;
        const family = histogram ?? families.get(name);
        if (family === undefined || Number.isNaN(Number(value))) return [];
        return [
            {
                family,
                ...(histogram && { suffix: suffix as Suffix }),
                labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, key = "", each = ""]) => [key, each])),
                value: Number(value),
            },
        ];
    });
};
