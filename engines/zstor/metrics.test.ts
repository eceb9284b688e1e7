import { expect, test } from "vitest";
import { expositionOf } from "../../test/e2e/prometheus.ts";
import { backendsOf, MemoryStore } from "../../test/zstor/memory-store.ts";
import { printMetrics } from "./metrics.ts";
import type { Store } from "./store.ts";

/** As the agent hands them on. */
const metricsOf = (store: Store) => expositionOf(printMetrics(store).replaceAll(/^(# (?:HELP|TYPE) )?zstor_/gm, "$1zeroform_zstor_"));

test("metrics say where the bytes and the time of operations went, stage by stage", async () => {
    const memory = new MemoryStore();
    await memory.create();
    const store = await memory.open();
    const text = Buffer.alloc(3_000_000, "what is said twice is compressed ");
    await memory.put(store, "text", text);
    await memory.put(store, "small", memory.random.bytes(1000));
    expect((await memory.get(store, "text")).equals(text)).toBe(true);
    const { value, samples } = metricsOf(store);
    const ofStage = (name: string, purpose: string, stage: string) => value(`zeroform_zstor_stage_${name}_total`, { purpose, stage });
    expect(value("zeroform_zstor_operation_bytes_total", { operation: "put" })).toBe(3_001_000);
    expect(value("zeroform_zstor_operation_duration_seconds_count", { operation: "put" })).toBe(2);
    expect(ofStage("bytes", "put", "compress")).toBe(3_001_000);
    expect(ofStage("bytes", "put", "encrypt")).toBeLessThan(100_000);
    expect(ofStage("bytes", "get", "decompress")).toBe(3_000_000);
    expect(ofStage("runs", "put", "encode")).toBe(2);
    // Time passes here only where something is waited for.
    for (const stage of ["write", "journal"]) expect(ofStage("seconds", "put", stage)).toBeGreaterThan(0);
    expect(ofStage("seconds", "get", "fetch")).toBeGreaterThan(0);
    expect(value("zeroform_zstor_metadata_requests_total", { replica: "1", request: "set" })).toBeGreaterThan(2);
    expect(value("zeroform_zstor_stripes", { spare: "2" })).toBe(2);
    expect(value("zeroform_zstor_queue_entries", { queue: "journal" })).toBe(0);
    expect(value("zeroform_zstor_backend_free_bytes", { backend: "2" })).toBeGreaterThan(2 ** 39);
    expect(samples.filter(({ name }) => name === "zeroform_zstor_backend_up").map((each) => each.value)).toEqual(new Array(7).fill(1));
});

test("metrics show debt with its age, also to a front end that was started since, and what is wrong with backends", async () => {
    const memory = new MemoryStore();
    await memory.create({ backends: backendsOf(6) });
    const store = await memory.open();
    await memory.put(store, "before", memory.random.bytes(1000));
    expect(metricsOf(store).value("zeroform_zstor_debt_age_seconds", {})).toBe(0);
    memory.backend(5).isDown = true;
    await memory.clock.pass(20_000);
    await memory.put(store, "degraded", memory.random.bytes(600_000));
    await memory.clock.run(store.close());
    await memory.clock.pass(100_000);
    const again = await memory.open();
    const { value } = metricsOf(again);
    expect(value("zeroform_zstor_debt_age_seconds", {})).toBeGreaterThanOrEqual(100);
    expect(value("zeroform_zstor_owed_stripes", {})).toBe(1);
    expect(value("zeroform_zstor_backend_up", { backend: "7" })).toBe(0);
    expect(value("zeroform_zstor_backend_breaker_openings_total", { backend: "7" })).toBe(1);
    expect(value("zeroform_zstor_backend_request_failures_total", { backend: "7", request: "info" })).toBe(1);
    memory.backend(5).isDown = false;
    await memory.clock.pass(20_000);
    await memory.clock.run(again.caretaker.round());
    await memory.clock.run(again.caretaker.round());
    expect(metricsOf(again).value("zeroform_zstor_debt_age_seconds", {})).toBe(0);
});
