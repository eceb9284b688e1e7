import type { Params, ResourceReport } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { mintLife } from "../../protocol/ids.ts";
import { isKind } from "../../schema/index.ts";
import type { Resource } from "../primitives/driver.ts";
import { called } from "../reconciler/inventory.ts";
import type { Waiting } from "../reconciler/reconciler.ts";
import type { LifeRow } from "../store/lives.ts";
import type { ResourceKind, Values } from "../store/rows.ts";
import type { TenantRow } from "../store/tenants.ts";
import { epochFor, knownTenantOf } from "./caller.ts";
import type { Call, Core } from "./core.ts";
import { inTime } from "./in-time.ts";
import { clearLives } from "./leftovers.ts";
import { reportOf } from "./report.ts";
import { checkReferences, referencesOf, validSpec } from "./validate.ts";

/** Admissions one at a time: two that each fit alone may not fit together. */
export const ADMISSION = "admission";

type Create = Params<"resource.create">;

/** Makes a new life, after whatever crashed runs left of the same resource is in the trash. */
export const createResource = async (core: Core, params: Create, call: Call): Promise<ResourceReport> => {
    const { kind } = params;
    if (!isKind(kind) || kind === "Node")
        throw new ZeroformError({ code: "INVALID", message: `the agent knows no resource ${String(kind)}` });
    const waiting: Waiting = { until: core.clock.uptime() + params.waitMs, signal: call.signal, progress: call.progress };
    const tenant = knownTenantOf(core, params.caller, Object.values(referencesOf(kind, params.spec)));
    return awaited(core, params.operation, async () => {
        const row = joined(core, params, call) ?? (await begin(core, params, kind, tenant, call, waiting));
        return answer(core, row, params.spec, waiting);
    });
};

/** What an earlier try of the same create has begun. */
const joined = (core: Core, { operation, caller }: Create, call: Call): LifeRow | undefined => {
    const row = core.store.lives.where((each) => each.operation === operation && each.tenant === caller.tenant).at(0);
    if (row) epochFor(core, call, row);
    return row;
};

const begin = async (core: Core, params: Create, kind: ResourceKind, tenant: TenantRow, call: Call, waiting: Waiting): Promise<LifeRow> => {
    const { store, parts } = core;
    const spec = validSpec(kind, params.spec);
    checkReferences(core, tenant, kind, spec);
    obey(core, tenant, params.settings);
    await inTime(core, waiting, (work) => parts.packages.ensure(parts.drivers[kind].packages(spec), params.settings.installPackages, work));
    const row = await core.lock.run(`${tenant.tenant} ${params.urn}`, async () => {
        const known = joined(core, params, call);
        if (known) return known;
        await clearLives(core, call, tenant, params.urn, { trashMs: params.trashMs, until: waiting.until });
        await inTime(core, waiting, async (work) => parts.drivers[kind].inquire?.(spec, parts.context(work)));
        return core.lock.run(ADMISSION, async () => {
            // Whatever was true when the call came in may have changed since.
            knownTenantOf(core, params.caller);
            checkReferences(core, tenant, kind, spec);
            const life = mintLife();
            const described = { kind, urn: params.urn, name: params.name, spec, uses: referencesOf(kind, spec) };
            const wanted = parts.inventory.resource({ ...described, life, tenant: tenant.tenant });
            const admitted = await admit(core, wanted, undefined, waiting);
            // Admission asks the machine, which takes time: what it refers to may have been removed meanwhile.
            knownTenantOf(core, params.caller);
            checkReferences(core, tenant, kind, spec);
            const now = core.clock.now();
            return store.lives.put({
                ...described,
                life,
                tenant: tenant.tenant,
                spec: admitted,
                generated: generatedIn(admitted, spec),
                desired: "present",
                confirmed: false,
                session: call.session,
                operation: params.operation,
                answered: false,
                epoch: store.sessions.epoch(call.session),
                createdAt: now,
                made: false,
                work: "make",
                state: "unfinished",
                since: now,
                reasons: ["it is being made"],
            });
        });
    });
    core.reconciler.desiredChanged(row.life);
    return row;
};

/** Judges the wish before anything is stored, and completes it. */
export const admit = (core: Core, wanted: Resource, old: Resource | undefined, waiting: Waiting): Promise<Values> =>
    inTime(core, waiting, (work) => core.parts.drivers[wanted.kind as ResourceKind].admit(wanted, old, core.parts.context(work)));

export const generatedIn = (admitted: Values, given: Values): readonly string[] =>
    Object.keys(admitted).filter((name) => admitted[name] !== undefined && given[name] === undefined);

/** The Node's settings as the latest call knows them. */
export const obey = (core: Core, tenant: TenantRow, settings: Create["settings"]): void => {
    if (tenant.settings.installPackages === settings.installPackages) return;
    core.store.tenants.change(tenant.tenant, { settings: { installPackages: settings.installPackages } });
};

const answer = async (core: Core, begun: LifeRow, given: Values, waiting: Waiting): Promise<ResourceReport> => {
    await core.reconciler.settled(begun.life, waiting);
    const row = core.store.lives.get(begun.life);
    if (row?.desired !== "present")
        throw new ZeroformError({
            code: "SUPERSEDED",
            message: `${called(begun)} was removed by another run while it was being made`,
            hint: "Run `pulumi refresh`, then `pulumi up` if it is still wanted.",
        });
    const answered = core.store.soon(() => core.store.lives.change(row.life, { answered: true }));
    return reportOf(core, answered ?? row, given);
};

/** Counts who waits for a create, so that nobody takes it for left behind. */
export const awaited = async <T>(core: Core, operation: string, act: () => Promise<T>): Promise<T> => {
    core.awaited.set(operation, (core.awaited.get(operation) ?? 0) + 1);
    try {
        return await act();
    } finally {
        const left = (core.awaited.get(operation) ?? 1) - 1;
        if (left > 0) core.awaited.set(operation, left);
        else core.awaited.delete(operation);
    }
};
