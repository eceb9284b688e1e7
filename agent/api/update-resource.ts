import type { Params, ResourceReport } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { partsOf } from "../../protocol/urn.ts";
import { called } from "../reconciler/inventory.ts";
import type { Waiting } from "../reconciler/reconciler.ts";
import type { LifeRow } from "../store/lives.ts";
import { epochFor, knownTenantOf, ownLife } from "./caller.ts";
import type { Call, Core } from "./core.ts";
import { ADMISSION, admit, generatedIn, obey } from "./create-resource.ts";
import { inTime } from "./in-time.ts";
import { reportOf } from "./report.ts";
import { checkReferences, referencesOf, validSpec } from "./validate.ts";
import { takeOver, withoutRecord } from "./without-record.ts";

/** Changes what is desired of a life. Refused before anything is changed, or kept and worked on. */
export const updateResource = async (core: Core, params: Params<"resource.update">, call: Call): Promise<ResourceReport> => {
    const { caller, life, urn, spec: given } = params;
    const waiting: Waiting = { until: core.clock.uptime() + params.waitMs, signal: call.signal, progress: call.progress };
    const known = ownLife(core, caller, life);
    const tenant = knownTenantOf(core, caller, [life, ...(known ? Object.values(referencesOf(known.kind, given)) : [])]);
    const unrecorded = await withoutRecord(core, life);
    if (unrecorded) takeOver(core, tenant, params, unrecorded, call);
    const { kind } = liveRow(core, params, call);
    const spec = validSpec(kind, given);
    obey(core, tenant, params.settings);
    const { drivers, packages } = core.parts;
    await inTime(core, waiting, (work) => packages.ensure(drivers[kind].packages(spec), params.settings.installPackages, work));

    const before = await core.lock.run(life, () =>
        core.lock.run(ADMISSION, async () => {
            checkReferences(core, tenant, kind, spec);
            const old = liveRow(core, params, call);
            const { name } = partsOf(urn);
            const wanted = { ...old, urn, name, spec, uses: referencesOf(kind, spec) };
            const { inventory } = core.parts;
            const admitted = await admit(core, inventory.resource(wanted), inventory.resource(old), waiting);
            // The row may have gone on meanwhile: only what was decided here is changed.
            const now = liveRow(core, params, call);
            core.store.lives.put({
                ...now,
                urn,
                name,
                spec: admitted,
                uses: wanted.uses,
                generated: generatedIn(admitted, spec),
                epoch: epochFor(core, call, now),
                work: now.made ? "change" : "make",
                state: "unfinished",
                since: now.state === "ready" ? core.clock.now() : now.since,
                reasons: ["it is being changed"],
            });
            return now.spec;
        }),
    );
    core.reconciler.desiredChanged(life, before);

    await core.reconciler.settled(life, waiting);
    const row = ownLife(core, caller, life);
    if (row?.desired !== "present")
        throw new ZeroformError({
            code: "SUPERSEDED",
            message: `${known ? called(known) : life} was removed by another run while it was being changed`,
        });
    return reportOf(core, row, given);
};

/** The row of a life that can be changed by this call. */
const liveRow = (core: Core, { caller, life }: Params<"resource.update">, call: Call): LifeRow => {
    const row = ownLife(core, caller, life);
    if (row?.desired !== "present")
        throw new ZeroformError({
            code: "LIFE_UNKNOWN",
            message: `the node has no resource ${life}${row ? `: ${called(row)} was removed` : ""}`,
            hint: "Run `pulumi refresh`, then `pulumi up`.",
        });
    epochFor(core, call, row);
    if (core.reconciler.isGone(life))
        throw new ZeroformError({ code: "LIFE_UNKNOWN", message: `${called(row)}: ${row.reasons.join("; ")}` });
    return row;
};
