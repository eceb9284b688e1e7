import { asZeroformError } from "../../protocol/errors.ts";
import type { Family, FamilyNamed, Sample, Suffix } from "../../protocol/metrics.ts";
import { VERSION } from "../../protocol/version.ts";
import type { Agent } from "../agent.ts";
import { pause } from "../clock.ts";
import type { Measurement, Resource } from "../primitives/driver.ts";
import type { LifeRow } from "../store/lives.ts";
import type { ResourceKind } from "../store/rows.ts";
import type { Core } from "./core.ts";
import { listTrash } from "./trash.ts";

/** One kind that cannot be measured in time is left out; those who scrape wait ten seconds, as a rule. */
const LONGEST_MEASURING_MS = 3_000;

const gauge = (name: string, help: string): FamilyNamed => ({ name, help, type: "gauge" });
const UP = gauge("zeroform_up", "Whether the agent answers.");
const INFO = gauge("zeroform_agent_info", "The agent that answers.");
const STORE_OK = gauge("zeroform_store_ok", "Whether the agent trusts its desired state; it does nothing while it does not.");
const MEMORY = gauge("zeroform_agent_resident_memory_bytes", "Memory of the agent.");
const CPU: FamilyNamed = { name: "zeroform_agent_cpu_seconds_total", help: "Processor time of the agent.", type: "counter" };
const STARTED = gauge("zeroform_agent_start_time_seconds", "Unix time at which the agent started.");
const RESOURCES = gauge("zeroform_resources", "Resources by kind and state.");
const READY = gauge("zeroform_resource_ready", "Whether a resource is as desired.");
const TENANTS = gauge("zeroform_tenants", "Nodes of Pulumi programs on this machine.");
const STORE = gauge("zeroform_store_bytes", "Size of the agent's desired state.");
const TRASH_ITEMS = gauge("zeroform_trash_items", "Removed resources whose data are kept.");
const TRASH = gauge("zeroform_trash_bytes", "Bytes of data in the trash that can be reached.");
const COLLECTED = gauge("zeroform_collector_success", "Whether all figures of this kind could be had in time.");

/** Every figure of this machine: the agent's own, and those that drivers give of their resources. */
export const metricsOf = async (agent: Agent): Promise<readonly Family[]> => {
    const { machine, held } = agent.parts.custody;
    const { user, system } = process.cpuUsage();
    const families = new Families();
    families.add(UP, {}, 1);
    families.add(INFO, { version: VERSION, machine }, 1);
    families.add(STORE_OK, {}, held.state === "ok" ? 1 : 0);
    families.add(MEMORY, {}, process.memoryUsage().rss);
    families.add(CPU, {}, (user + system) / 1e6);
    families.add(STARTED, {}, Math.round(performance.timeOrigin) / 1e3);
    if (held.state === "ok") await addResources(agent.core, families);
    return [...families.all(), ...agent.meters.families()];
};

const STATES: readonly LifeRow["state"][] = ["ready", "unfinished", "removing", "kept"];

const addResources = async (core: Core, families: Families): Promise<void> => {
    const { store, parts } = core;
    const lives = store.lives.all();
    families.add(TENANTS, {}, store.tenants.all().length);
    families.add(STORE, {}, store.bytes());
    families.add(TRASH_ITEMS, {}, store.trash.all().length);
    const kinds = Object.keys(parts.drivers) as ResourceKind[];
    for (const kind of kinds) {
        const own = lives.filter((row) => row.kind === kind);
        for (const state of STATES) families.add(RESOURCES, { kind, state }, own.filter((row) => row.state === state).length);
    }
    for (const row of lives) families.add(READY, labelsOf(row), row.state === "ready" ? 1 : 0);

    const collect = async (collector: string, act: () => Promise<readonly Measurement[]>) => {
        const measured = await inTime(core, collector, act);
        families.add(COLLECTED, { collector }, measured === undefined ? 0 : 1);
        for (const { family, suffix, resource, labels, value } of measured ?? [])
            families.add(family, { ...(resource && labelsOf(resource)), ...labels }, value, suffix);
    };
    await Promise.all([
        ...kinds.map((kind) => collect(kind, () => parts.drivers[kind].measure(parts.os, parts.inventory.resources(kind)))),
        collect("trash", async () => {
            const bytes = (await listTrash(core)).reduce((sum, each) => sum + each.bytes, 0);
            return [{ family: TRASH, value: bytes }];
        }),
    ]);
};

/** A name says little where two programs use the same: the life tells resources apart. */
const labelsOf = ({ kind, name, tenant, life }: Pick<Resource, "kind" | "name" | "tenant" | "life">) => ({ kind, name, tenant, life });

/** What was measured in time. A measuring that hangs is not begun again by every scrape. */
const inTime = async (
    core: Core,
    collector: string,
    act: () => Promise<readonly Measurement[]>,
): Promise<readonly Measurement[] | undefined> => {
    const running = core.measuring.get(collector) ?? begin(core, collector, act);
    const waiting = new AbortController();
    try {
        return await Promise.race([running, pause(core.clock, LONGEST_MEASURING_MS, waiting.signal).then(() => undefined)]);
    } catch (failure) {
        console.error(`${collector} could not be measured: ${asZeroformError(failure).message}`);
        return undefined;
    } finally {
        waiting.abort();
    }
};

const begin = (core: Core, collector: string, act: () => Promise<readonly Measurement[]>): Promise<readonly Measurement[]> => {
    const running = act().finally(() => core.measuring.delete(collector));
    // Whoever waited for it may be gone.
    running.catch(() => undefined);
    core.measuring.set(collector, running);
    return running;
};

class Families {
    readonly #families = new Map<string, { readonly family: FamilyNamed; readonly samples: Sample[] }>();

    add(family: FamilyNamed, labels: Readonly<Record<string, string>>, value: number, suffix?: Suffix): void {
        const known = this.#families.get(family.name) ?? { family, samples: [] };
        this.#families.set(family.name, known);
        known.samples.push({ labels, value, ...(suffix && { suffix }) });
    }

    all(): readonly Family[] {
        return [...this.#families.values()].map(({ family, samples }) => ({ ...family, samples }));
    }
}
