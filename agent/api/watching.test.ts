import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { prometheusText } from "../../protocol/metrics.ts";
import { Bench } from "../../test/agent/fakes/bench.ts";
import { expositionOf } from "../../test/e2e/prometheus.ts";
import type { AnyDriver, Drivers } from "../reconciler/drivers.ts";
import { lookIntoStore } from "../store/look.ts";
import { unitsOf } from "../units-of.ts";

const withDisk = async (bench: Bench) => {
    const session = bench.session();
    await session.nodeOf();
    return { session, disk: await session.create("ZMount", "disk") };
};

describe("metrics", () => {
    it("are figures of the agent and of what drivers measure, by resource", async () => {
        await using bench = new Bench();
        const { session, disk } = await withDisk(bench);
        await expect(session.ask("trash.restore", { life: disk.life })).rejects.toMatchObject({ code: "LIFE_UNKNOWN" });
        const metrics = expositionOf(prometheusText(await session.ask("metrics", {})));
        expect(metrics.value("zeroform_fake_zmount_bytes", { kind: "ZMount", name: "disk", life: disk.life })).toBe(1);
        expect(metrics.value("zeroform_resources", { kind: "ZMount", state: "ready" })).toBe(1);
        expect(metrics.value("zeroform_events_total", { what: "made" })).toBe(1);
        expect(metrics.value("zeroform_operation_duration_seconds_count", { method: "trash.restore", result: "LIFE_UNKNOWN" })).toBe(1);
    });

    it("come without those of a kind that hangs, which is asked once however often they are wanted", async () => {
        await using bench = new Bench();
        const { session } = await withDisk(bench);
        const hanging = Promise.withResolvers<void>();
        bench.node.measuring = hanging.promise;
        for (let scrape = 0; scrape < 2; scrape++) {
            const asked = session.ask("metrics", {});
            await bench.clock.advance(3_000);
            const metrics = expositionOf(prometheusText(await asked));
            expect(metrics.value("zeroform_collector_success", { collector: "ZMount" })).toBe(0);
            expect(metrics.value("zeroform_collector_success", { collector: "trash" })).toBe(1);
            expect(metrics.value("zeroform_up", {})).toBe(1);
        }
        hanging.resolve();
    });

    it("escape what would end a label or a line", () => {
        const text = prometheusText([
            {
                name: "zeroform_up",
                help: "a\nb\\",
                type: "gauge",
                samples: [{ labels: { name: 'a"\\\nb' }, value: Number.POSITIVE_INFINITY }],
            },
        ]);
        expect(text).toBe('# HELP zeroform_up a\\nb\\\\\n# TYPE zeroform_up gauge\nzeroform_up{name="a\\"\\\\\\nb"} +Inf\n');
    });
});

describe("events", () => {
    it("tell of a resource in order, what it was made as and what was changed, and never a secret", async () => {
        await using bench = new Bench();
        const { session, disk } = await withDisk(bench);
        await session.create("Zdb", "db", { spec: { mount: session.idOf(disk), password: "the-secret-word" } });
        await session.update(disk.life, "ZMount", "disk", { size: "30MiB" });
        const all = await session.ask("events", {});
        expect(all.map(({ what, name, detail }) => [what, name, detail])).toEqual([
            ["made", "disk", expect.stringMatching(/^ZMount: size 20MiB/)],
            ["made", "db", expect.stringMatching(/^Zdb: size .*port 9900/)],
            ["changed", "disk", "ZMount: size 20MiB -> 30MiB"],
        ]);
        expect(JSON.stringify(all)).not.toContain("the-secret-word");
        expect(await session.ask("events", { about: "disk", latest: 1 })).toEqual([all[2]]);
        expect(await session.ask("events", { about: disk.life })).toHaveLength(2);
        expect(await session.ask("events", { after: all[0]?.id ?? 0 })).toHaveLength(2);
    });

    it("that are waited for come as soon as they happen, and nothing after a while", async () => {
        await using bench = new Bench();
        const { session, disk } = await withDisk(bench);
        const after = (await session.ask("events", {})).at(-1)?.id ?? 0;
        const late = session.ask("events", { after, waitMs: 5_000 });
        await bench.clock.advance(5_000);
        expect(await late).toEqual([]);
        const waiting = session.ask("events", { after, about: "disk", waitMs: 60_000 });
        await session.create("ZMount", "other");
        await session.remove(disk.life);
        expect((await waiting).map(({ what, name }) => [what, name])).toEqual([["removed", "disk"]]);
    });
});

describe("units", () => {
    it("are told from a store that an agent has open, without its key, and who shares them", async () => {
        await using bench = new Bench();
        const { session, disk } = await withDisk(bench);
        const db = await session.create("Zdb", "db", { spec: { mount: session.idOf(disk), password: "the-secret-word" } });
        await session.create("Zdb", "other", { spec: { mount: session.idOf(disk) } });
        const gone = await session.create("ZMount", "gone");
        bench.node.write(gone.life, "data");
        await session.remove(gone.life);

        const rows = lookIntoStore(join(bench.directory, "store.db"));
        expect(JSON.stringify(rows)).not.toContain("the-secret-word");
        const onMount: Pick<AnyDriver, "units"> = { units: ({ uses, life }) => [`on-${uses.mount?.life ?? life}.service`] };
        const found = unitsOf(rows, { ZMount: onMount, Zdb: onMount } as unknown as Drivers);
        const unit = `on-${disk.life}.service`;
        expect(found.map(({ name, trashed, units }) => [name, trashed, units])).toEqual([
            ["disk", false, [{ unit, sharedWith: ["db", "other"] }]],
            ["db", false, [{ unit, sharedWith: ["disk", "other"] }]],
            ["other", false, [{ unit, sharedWith: ["disk", "db"] }]],
            ["gone", true, [{ unit: `on-${gone.life}.service`, sharedWith: [] }]],
        ]);
        expect(found[1]?.life).toBe(db.life);
    });
});
