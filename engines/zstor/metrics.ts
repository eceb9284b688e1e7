import { type Figure, type Figures, TIME_STEPS } from "./figures.ts";
import { VALUE_SIZES } from "./latency.ts";
import type { Member } from "./member.ts";
import { statusOf } from "./status.ts";
import type { Store } from "./store.ts";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];
type Labelled = readonly (readonly [Labels, Figure])[];

/** The store's figures as Prometheus reads them. Everything that ends in `_total`, and every histogram, begins at 0 with the front end. */
export function printMetrics(store: Store): string {
    return [...workOf(store), ...healthOf(store), ...backendsOf(store), ...cacheOf(store)].map((line) => `${line}\n`).join("");
}

/** Bytes and time of what was done. */
function workOf(store: Store): string[] {
    const operations = [...store.figures.all()].map(([operation, figure]) => [{ operation }, figure] as const);
    const requests = store.pool.all().flatMap(({ config, figures }) => requestsOf({ backend: String(config.id) }, figures));
    const metadata = store.replicas.members.flatMap(({ figures }, index) => requestsOf({ replica: String(index + 1) }, figures));
    const stages = [...store.stageFigures.all()].map(([name, figure]) => {
        const [purpose = "", stage = ""] = name.split(" ");
        return [{ purpose, stage }, figure] as const;
    });
    return [
        ...counted("zstor_operation", "of the store", operations),
        ...counted("zstor_backend_request", "to backends", requests),
        ...counted("zstor_metadata_request", "to metadata replicas", metadata),
        ...counters(
            "zstor_stage_runs_total",
            "Times that a stage of an operation was gone through.",
            stages,
            ({ done, failed }) => done + failed,
        ),
        ...counters("zstor_stage_bytes_total", "Bytes that a stage was given, or gave where it makes them.", stages, ({ bytes }) => bytes),
        ...counters(
            "zstor_stage_seconds_total",
            "Time in a stage, of all that were gone through beside each other.",
            stages,
            ({ seconds }) => seconds,
        ),
    ];
}

function requestsOf(of: Labels, figures: Figures): (readonly [Labels, Figure])[] {
    return [...figures.all()].map(([request, figure]) => [{ ...of, request }, figure] as const);
}

/** What is there, what could be lost, what is owed and what waits. */
function healthOf(store: Store): string[] {
    const { pool, caretaker, journal, packer, stripeSlots, view } = store;
    const status = statusOf(store);
    const ageOf = (sinceMs: number) => Math.max(0, store.surroundings.clock.nowMs() - sinceMs) / 1000;
    const { debtSinceMs, scrubber, metadataScrubber, repairedShards } = caretaker;
    const spare = Object.entries(status.spare).map(([more, count]): Sample => [{ spare: more }, count]);
    const queues = {
        journal: journal.waiting,
        packing: packer.load.waiting,
        stripes: stripeSlots.load,
        repair: status.owed,
        "repair-paused": caretaker.pausedRepairs,
        free: view.garbageCount,
    };
    return [
        ...gauge("zstor_objects", "Objects that are there.", status.objects),
        ...gauge("zstor_object_bytes", "Bytes of these objects, as they were put.", status.bytes),
        ...gauge("zstor_stored_bytes", "Bytes of all shards.", status.storedBytes),
        ...gauge("zstor_live_bytes", "Bytes of the chunks in them that something names: compressed, without parity.", status.liveBytes),
        ...total("zstor_repacked_stripes_total", "Stripes that were given up for fuller ones.", caretaker.repacker.repackedStripes),
        ...total("zstor_repacked_bytes_total", "Bytes of chunks that were moved for that.", caretaker.repacker.movedBytes),
        ...family(
            "zstor_stripes",
            "gauge",
            "Stripes by how many shards more than K are on backends that answer; below 0: not readable now.",
            spare,
        ),
        ...gauge("zstor_owed_stripes", "Stripes with shards that are to be made again elsewhere.", status.owed),
        ...gauge("zstor_out_of_policy_stripes", "Stripes that the loss which the policy means would make unreadable.", status.outOfPolicy),
        ...gauge(
            "zstor_debt_age_seconds",
            "For how long something has been owed; 0: nothing is.",
            debtSinceMs === undefined ? 0 : ageOf(debtSinceMs),
        ),
        ...family(
            "zstor_queue_entries",
            "gauge",
            "What waits: changes for the journal, objects for a stripe, puts for a place among stripes on their way, stripes for repair, for another try, to be freed.",
            Object.entries(queues).map(([queue, count]) => [{ queue }, count]),
        ),
        ...total("zstor_repaired_shards_total", "Shards that were made again.", repairedShards),
        ...total("zstor_scrubbed_stripes_total", "Stripes of which every shard was compared.", scrubber.checkedStripes),
        ...total("zstor_scrub_faults_total", "Shards that were not as they were written.", scrubber.foundBad),
        ...total("zstor_scrubbed_values_total", "Values of metadata replicas that were compared.", metadataScrubber.checkedValues),
        ...total(
            "zstor_scrub_bad_values_total",
            "Values of metadata replicas that were not as they were written.",
            metadataScrubber.foundBad,
        ),
        ...(scrubber.lastPassMs === undefined
            ? []
            : gauge("zstor_scrub_age_seconds", "Since the last time that every shard had been compared.", ageOf(scrubber.lastPassMs))),
        ...total("zstor_hedged_reads_total", "Reads of a stripe that asked other backends because one was late.", pool.hedgedReads),
        ...total("zstor_hedged_writes_total", "Shards that were written to another backend because one was late.", pool.hedgedWrites),
        ...family(
            "zstor_hedge_delay_seconds",
            "gauge",
            "After how long a read is late.",
            VALUE_SIZES.map((size) => [{ size }, pool.hedgeMs(size) / 1000]),
        ),
        ...gauge("zstor_metadata_behind_replicas", "Metadata replicas that have missed writes.", status.metadata.behind.length),
        ...total("zstor_journal_batches_total", "Batches of the journal, since the store was made.", status.metadata.sequence),
    ];
}

function backendsOf({ pool }: Store): string[] {
    const all = pool.all().map((member) => ({ member, of: { backend: String(member.config.id) } }));
    const of = (pick: (member: Member) => number | undefined): Sample[] =>
        all.flatMap(({ member, of: labels }): Sample[] => {
            const value = pick(member);
            return value === undefined ? [] : [[labels, value]];
        });
    const reads = all.flatMap(({ member, of: labels }) =>
        VALUE_SIZES.flatMap((size) =>
            [0.5, 0.95].flatMap((share): Sample[] => {
                const ms = member.latency.quantile(size, share);
                return ms === undefined ? [] : [[{ ...labels, size, quantile: String(share) }, ms / 1000]];
            }),
        ),
    );
    const load = all.flatMap(({ member, of: labels }): Sample[] => [
        [{ ...labels, state: "running" }, member.load.running],
        [{ ...labels, state: "waiting" }, member.load.waiting],
    ]);
    return [
        ...family(
            "zstor_backend_up",
            "gauge",
            "1 when the backend answers.",
            of(({ downSinceMs }) => (downSinceMs === undefined ? 1 : 0)),
        ),
        ...family(
            "zstor_backend_breaker_openings_total",
            "counter",
            "Times that the backend was left alone.",
            of(({ breaker }) => breaker.openings),
        ),
        ...family("zstor_backend_read_quantile_seconds", "gauge", "Of what was read from it last.", reads),
        ...family("zstor_backend_request_entries", "gauge", "Requests that are on their way, and that wait for them.", load),
        ...family(
            "zstor_backend_used_bytes",
            "gauge",
            "What its namespace holds, of whomever.",
            of(({ info }) => info?.usedBytes),
        ),
        ...family(
            "zstor_backend_limit_bytes",
            "gauge",
            "What its namespace may hold.",
            of(({ info }) => info?.limitBytes),
        ),
        ...family(
            "zstor_backend_free_bytes",
            "gauge",
            "What may still be written, by quota and disk.",
            of(({ freeBytes }) => (Number.isFinite(freeBytes) ? freeBytes : undefined)),
        ),
    ];
}

function cacheOf({ cache }: Store): string[] {
    if (cache === undefined) return [];
    return [
        ...total("zstor_cache_hits_total", "Chunks that were found in the read cache.", cache.hits),
        ...total("zstor_cache_misses_total", "Chunks that were not.", cache.misses),
        ...total("zstor_cache_hit_bytes_total", "Bytes that were found in it, as they are sealed.", cache.hitBytes),
        ...total("zstor_cache_wrong_total", "What was found there and was not what it should have been.", cache.wrong),
        ...gauge("zstor_cache_used_bytes", "What it holds.", cache.usedBytes),
        ...gauge("zstor_cache_size_bytes", "What it may hold.", cache.sizeBytes),
        ...gauge("zstor_cache_up", "0 while nothing is kept because of its disk.", cache.trouble === undefined ? 1 : 0),
    ];
}

/** What is told of operations: how many, failures, bytes, and a histogram of times. */
function counted(name: string, what: string, figures: Labelled): string[] {
    const times = figures.flatMap(([labels, { seconds, steps }]): (readonly [suffix: string, ...Sample])[] => {
        let sum = 0;
        const buckets = steps.map((count, index) => {
            sum += count;
            return ["_bucket", { ...labels, le: String(TIME_STEPS[index] ?? "+Inf") }, sum] as const;
        });
        return [...buckets, ["_sum", labels, seconds], ["_count", labels, sum]];
    });
    return [
        ...counters(`${name}s_total`, `Operations ${what} that succeeded.`, figures, ({ done }) => done),
        ...counters(`${name}_failures_total`, `Operations ${what} that failed.`, figures, ({ failed }) => failed),
        ...counters(`${name}_bytes_total`, `Bytes moved by operations ${what}.`, figures, ({ bytes }) => bytes),
        ...described(`${name}_duration_seconds`, "histogram", `Time that operations ${what} took.`, times),
    ];
}

function counters(name: string, help: string, figures: Labelled, pick: (figure: Figure) => number): string[] {
    return family(
        name,
        "counter",
        help,
        figures.map(([labels, figure]) => [labels, pick(figure)]),
    );
}

function gauge(name: string, help: string, value: number): string[] {
    return family(name, "gauge", help, [[{}, value]]);
}

function total(name: string, help: string, value: number): string[] {
    return family(name, "counter", help, [[{}, value]]);
}

function family(name: string, type: "counter" | "gauge", help: string, samples: readonly Sample[]): string[] {
    return described(
        name,
        type,
        help,
        samples.map(([labels, value]) => ["", labels, value]),
    );
}

function described(name: string, type: string, help: string, samples: readonly (readonly [suffix: string, ...Sample])[]): string[] {
    if (samples.length === 0) return [];
    const lines = samples.map(([suffix, labels, value]) => `${name}${suffix}${labelled(labels)} ${value}`);
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines];
}

/** None of the values needs quoting: they are numbers and words of ours. */
function labelled(labels: Labels): string {
    const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
    return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
