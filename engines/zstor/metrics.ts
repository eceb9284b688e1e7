import type { Figure } from "./figures.ts";
import { statusOf } from "./status.ts";
import type { Store } from "./store.ts";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/** The store's figures as Prometheus reads them. Everything that ends in `_total` or `_seconds` begins at 0 with the front end. */
export function printMetrics(store: Store): string {
    const status = statusOf(store);
    const operations = [...store.figures.all()].map(([operation, figure]) => [{ operation }, figure] as const);
    const requests = store.pool
        .all()
        .flatMap(({ config, figures }) =>
            [...figures.all()].map(([request, figure]) => [{ backend: String(config.id), request }, figure] as const),
        );
    const nowMs = store.surroundings.clock.nowMs();
    const { owedSinceMs, scrubber, repairedShards } = store.caretaker;
    return [
        ...figuresOf("zstor_operation", "of the store", operations),
        ...figuresOf("zstor_backend_request", "to backends", requests),
        ...family("zstor_objects", "gauge", "Objects that are there.", [[{}, status.objects]]),
        ...family("zstor_object_bytes", "gauge", "Bytes of these objects, as they were put.", [[{}, status.bytes]]),
        ...family(
            "zstor_stripes",
            "gauge",
            "Stripes by how many shards more than K are on backends that answer; below 0: not readable now.",
            Object.entries(status.spare).map(([spare, count]) => [{ spare }, count]),
        ),
        ...family("zstor_stripes_owed", "gauge", "Stripes with shards that are to be made again elsewhere.", [[{}, status.owed]]),
        ...family("zstor_stripes_out_of_policy", "gauge", "Stripes that the loss which the policy means would make unreadable.", [
            [{}, status.outOfPolicy],
        ]),
        ...family("zstor_debt_age_seconds", "gauge", "Since when something has been owed without a break.", [
            [{}, owedSinceMs === undefined ? 0 : (nowMs - owedSinceMs) / 1000],
        ]),
        ...family("zstor_repaired_shards_total", "counter", "Shards that were made again.", [[{}, repairedShards]]),
        ...family("zstor_scrubbed_stripes_total", "counter", "Stripes of which every shard was compared.", [[{}, scrubber.checkedStripes]]),
        ...family("zstor_scrub_faults_total", "counter", "Shards that were not as they were written.", [[{}, scrubber.foundBad]]),
        ...family("zstor_journal_waiting", "gauge", "Changes that wait for the journal.", [[{}, store.journal.waiting]]),
        ...family("zstor_metadata_replicas_behind", "gauge", "Metadata replicas that have missed writes.", [
            [{}, status.metadata.behind.length],
        ]),
        ...family(
            "zstor_backend_up",
            "gauge",
            "1 when the backend answers.",
            status.backends.map(({ id, downSinceMs }) => [{ backend: String(id) }, downSinceMs === undefined ? 1 : 0]),
        ),
        ...family(
            "zstor_backend_used_bytes",
            "gauge",
            "What its namespace holds, of whomever.",
            status.backends.flatMap(({ id, usedBytes }): Sample[] =>
                usedBytes === undefined ? [] : [[{ backend: String(id) }, usedBytes]],
            ),
        ),
    ]
        .map((line) => `${line}\n`)
        .join("");
}

function figuresOf(name: string, what: string, figures: readonly (readonly [Labels, Figure])[]): string[] {
    const samples = (pick: (figure: Figure) => number): Sample[] => figures.map(([labels, figure]) => [labels, pick(figure)]);
    return [
        ...family(
            `${name}s_total`,
            "counter",
            `Operations ${what} that succeeded.`,
            samples(({ done }) => done),
        ),
        ...family(
            `${name}_failures_total`,
            "counter",
            `Operations ${what} that failed.`,
            samples(({ failed }) => failed),
        ),
        ...family(
            `${name}_bytes_total`,
            "counter",
            `Bytes moved by operations ${what}.`,
            samples(({ bytes }) => bytes),
        ),
        ...family(
            `${name}_seconds_total`,
            "counter",
            `Time that operations ${what} took, all together.`,
            samples(({ seconds }) => seconds),
        ),
    ];
}

function family(name: string, type: "counter" | "gauge", help: string, samples: readonly Sample[]): string[] {
    if (samples.length === 0) return [];
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples.map(([labels, value]) => `${name}${labelled(labels)} ${value}`)];
}

/** None of the values needs quoting: they are numbers and words of ours. */
function labelled(labels: Labels): string {
    const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
