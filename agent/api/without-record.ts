import { randomUUID } from "node:crypto";
import type { Caller, Params, ReadReport, Settings } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import type { Life, TenantId } from "../../protocol/ids.ts";
import { partsOf } from "../../protocol/urn.ts";
import type { ResourceKind } from "../store/rows.ts";
import type { TenantRow } from "../store/tenants.ts";
import type { Call, Core } from "./core.ts";
import { generatedIn } from "./create-resource.ts";
import { referencesOf, validSpec } from "./validate.ts";

/** Data of a life that the store has never heard of, or has forgotten: it was put back from a copy that is older than the stack's state. */
export interface WithoutRecord {
    readonly kind: ResourceKind;
    readonly path: string;
}

/** What is said of a Node whose tenant the store has never heard of. */
export const NO_RECORD =
    "the agent has no record of this Node, because its desired state is older than the stack's (was it put back from a copy?); the next `pulumi up` takes it over";

/** A tenant that was not removed and is not there either. */
export const isWithoutRecord = ({ store, machine }: Core, caller: Pick<Caller, "machine" | "tenant">): boolean =>
    caller.machine === machine && !store.tenants.get(caller.tenant) && !store.tenants.wasRemoved(caller.tenant);

/** Makes its record again: its engine has it. */
export const takeOverNode = (core: Core, tenant: TenantId, urn: string, settings: Settings, call: Call): void => {
    const { store, clock, parts } = core;
    const { name } = partsOf(urn);
    store.transaction(() => {
        store.setLeaving(false);
        store.tenants.put({
            tenant,
            urn,
            name,
            settings: { installPackages: settings.installPackages },
            confirmed: true,
            deleted: false,
            session: call.session,
            operation: randomUUID(),
            answered: true,
            epoch: store.sessions.epoch(call.session),
            createdAt: clock.now(),
        });
        parts.tell("changed", `there was no record of Node "${name}" (${tenant}), and it was taken over`);
    });
};

/** undefined: there is a record, or nothing that could be lost. */
export const withoutRecord = async ({ store, parts }: Core, life: Life): Promise<WithoutRecord | undefined> => {
    if (store.lives.get(life) || store.trash.get(life)) return undefined;
    for (const [kind, driver] of Object.entries(parts.drivers)) {
        const path = await driver.trace(life, parts.os);
        if (path !== undefined) return { kind: kind as ResourceKind, path };
    }
    return undefined;
};

/** What is there is never "absent": the next `up` updates it, and so brings its record back. */
export const readWithoutRecord = (life: Life, { path }: WithoutRecord): ReadReport => ({
    found: true,
    life,
    state: "unfinished",
    reasons: [`the agent has no record of it, and its data are at ${path}; the next \`pulumi up\` takes it over`],
    spec: {},
    outputs: {},
    differingSecrets: [],
});

/** Removing data is what a record says how to. */
export const refuseRemoval = (life: Life, { kind, path }: WithoutRecord): ZeroformError =>
    new ZeroformError({
        code: "NOT_READY",
        kind,
        message: `the agent has no record of ${life}, whose data are at ${path}: its desired state is older than the stack's`,
        hint: "Run `pulumi refresh` and `pulumi up`, which takes it over; then it can be removed.",
    });

/** Makes the record again from what the program wants, as of something that was ready once: it is never made anew in the place of its data. */
export const takeOver = (
    core: Core,
    tenant: TenantRow,
    { life, urn, spec: given }: Params<"resource.update">,
    { kind, path }: WithoutRecord,
    call: Call,
): void => {
    const { store, clock, parts } = core;
    const spec = validSpec(kind, given);
    const now = clock.now();
    store.transaction(() => {
        const row = store.lives.put({
            life,
            tenant: tenant.tenant,
            kind,
            urn,
            name: partsOf(urn).name,
            spec,
            generated: generatedIn(spec, given),
            uses: referencesOf(kind, spec),
            desired: "present",
            confirmed: true,
            session: call.session,
            operation: randomUUID(),
            answered: true,
            epoch: store.sessions.epoch(call.session),
            createdAt: now,
            namedAt: now,
            made: true,
            work: "change",
            state: "unfinished",
            since: now,
            reasons: ["it is being taken over"],
        });
        parts.tell("changed", `there was no record of it, and its data at ${path} were taken over`, row);
    });
};
