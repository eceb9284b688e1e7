import type { FamilyNamed } from "../../protocol/metrics.ts";
import { endsAt } from "../../schema/tls.ts";
import type { Os } from "../os/os.ts";
import type { Measurement } from "./driver.ts";
import { CERTIFICATE_END, HISTOGRAMS, OF_NAMESPACE, OF_SERVER, OPERATION_OF, OPERATIONS, UP } from "./zdb-families.ts";
import { namespaceOf, serverOf, type Zdb, type ZdbServer } from "./zdb-places.ts";
import { type Info, parseInfo } from "./zdb-properties.ts";

/** A server that takes longer is counted as down: whoever scrapes waits some seconds at most. */
const SILENCE_MS = 2_000;

/** Figures of all Zdbs and of the servers that they are on; one conversation with each server, all at once. */
export const measureZdbs = async (os: Os, resources: readonly Zdb[]): Promise<readonly Measurement[]> => {
    const servers = Map.groupBy(resources, (resource) => serverOf(resource).id);
    const measured = await Promise.all(
        [...servers.values()].flatMap((group) => (group[0] === undefined ? [] : [measureServer(os, serverOf(group[0]), group)])),
    );
    return measured.flat();
};

const measureServer = async (os: Os, server: ZdbServer, namespaces: readonly Zdb[]): Promise<readonly Measurement[]> => {
    const labels = { server: server.id, tenant: server.tenant };
    const questions = [["INFO"], ...namespaces.map((resource) => ["NSINFO", namespaceOf(resource)])];
    const replies = await os.redis.ask(server.adminSocket, questions, { silenceMs: SILENCE_MS }).catch(() => undefined);
    if (replies === undefined) return [{ family: UP, labels, value: 0 }];
    const [own, ...each] = replies.map((reply) => (typeof reply === "string" ? parseInfo(reply) : new Map<string, string>()));
    return [
        { family: UP, labels, value: 1 },
        ...figures(OF_SERVER, own).map((figure) => ({ ...figure, labels })),
        ...namespaces.flatMap((resource, index) => namespaceFigures(resource, each[index]).map((figure) => ({ ...figure, resource }))),
    ];
};

const namespaceFigures = (resource: Zdb, info: Info = new Map()): readonly Measurement[] => [
    ...figures(OF_NAMESPACE, info),
    ...Object.entries(OPERATION_OF).flatMap(([key, operation]) =>
        numberOf(info.get(key)).map((value) => ({ family: OPERATIONS, labels: { operation }, value })),
    ),
    ...HISTOGRAMS.flatMap(({ key, family, labels }) =>
        histogram(info.get(key), info.get(`${key}_sum`)).map((sample) => ({ ...sample, family, labels: { ...labels, ...sample.labels } })),
    ),
    ...(resource.spec.tls === undefined ? [] : [{ family: CERTIFICATE_END, value: endsAt(resource.spec.tls) }]),
];

const figures = (families: Readonly<Record<string, FamilyNamed>>, info: Info = new Map()): readonly Measurement[] =>
    Object.entries(families).flatMap(([key, family]) => numberOf(info.get(key)).map((value) => ({ family, value })));

/** None where the server, of an older release, does not tell it. */
const numberOf = (text: string | undefined): readonly number[] => {
    const value = Number(text ?? Number.NaN);
    return Number.isNaN(value) ? [] : [value];
};

/** Steps as NSINFO tells them, `50=31 100=38 ... inf=40`: so many took so many microseconds or less. */
export const histogram = (steps: string | undefined, sumUs: string | undefined): readonly Omit<Measurement, "family">[] => {
    if (steps === undefined || sumUs === undefined) return [];
    const buckets = steps.split(" ").map((step) => {
        const [bound = "", count] = step.split("=");
        return { le: bound === "inf" ? "+Inf" : String(Number(bound) / 1e6), count: Number(count) };
    });
    const all = buckets.at(-1);
    // One that is not told to its end is none.
    if (all?.le !== "+Inf" || buckets.some(({ count }) => Number.isNaN(count))) return [];
    return [
        ...buckets.map(({ le, count }) => ({ suffix: "_bucket" as const, labels: { le }, value: count })),
        { suffix: "_sum", value: Number(sumUs) / 1e6 },
        { suffix: "_count", value: all.count },
    ];
};
