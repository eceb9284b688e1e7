import { ZeroformError } from "../../protocol/errors.ts";
import { type Life, parseNodeId, parseResourceId } from "../../protocol/ids.ts";
import { primitiveOf } from "../../schema/index.ts";
import { called } from "../reconciler/inventory.ts";
import type { ResourceKind, Values } from "../store/rows.ts";
import type { TenantRow } from "../store/tenants.ts";
import type { Core } from "./core.ts";

/** The spec as the schema completes it. The agent trusts no provider: an older one may know other rules. Throws INVALID; never shows a secret. */
export const validSpec = (kind: ResourceKind, given: Values): Values => {
    const { inputs, refine } = primitiveOf(kind);
    const spec: Record<string, unknown> = {};
    const faults: string[] = [];
    for (const [name, input] of Object.entries(inputs)) {
        if (input.change.rule === "client") continue;
        const parsed = input.schema.safeParse(given[name] ?? undefined);
        if (!parsed.success) faults.push(input.secret ? `a secret input (${name}) is not valid` : `${name}: ${wordsOf(parsed.error)}`);
        else if (parsed.data !== undefined) spec[name] = parsed.data;
    }
    for (const name of Object.keys(given)) {
        const input = inputs[name];
        if (!input || input.change.rule === "client") faults.push(`${name} is not an input of ${kind}`);
    }
    if (faults.length === 0)
        faults.push(...(refine?.(spec, (name) => spec[name] !== undefined) ?? []).map(({ property, reason }) => `${property}: ${reason}`));
    if (faults.length > 0) throw invalid(faults.join("; "));
    return spec;
};

const wordsOf = (error: { readonly issues: readonly { readonly message: string }[] }) =>
    error.issues.map(({ message }) => message).join(", ");

/** The lives that a spec refers to, by input. */
export const referencesOf = (kind: ResourceKind, spec: Values): Readonly<Record<string, Life>> => {
    const uses: Record<string, Life> = {};
    for (const [name, input] of Object.entries(primitiveOf(kind).inputs)) {
        const address = input.visibility === "reference" ? parseResourceId(String(spec[name] ?? "")) : undefined;
        if (address) uses[name] = address.life;
    }
    return uses;
};

/** Refuses a reference to anything but this node and live resources of the same tenant. */
export const checkReferences = (core: Core, tenant: TenantRow, kind: ResourceKind, spec: Values): void => {
    for (const [name, input] of Object.entries(primitiveOf(kind).inputs)) {
        const id = spec[name];
        if (input.visibility !== "reference" || id === undefined) continue;
        const resource = parseResourceId(String(id));
        const address = resource ?? parseNodeId(String(id));
        if (address?.machine !== core.machine || address.tenant !== tenant.tenant)
            throw invalid(`${name} refers to ${String(id)}, which is not on this node or belongs to another Node`);
        if (!resource) continue;
        const row = core.store.lives.get(resource.life);
        if (row?.tenant !== tenant.tenant) throw invalid(`${name} refers to ${String(id)}, which is not on the node`, REFRESH);
        if (row.desired !== "present") throw invalid(`${name} refers to ${called(row)}, which was removed`, REFRESH);
        if (core.reconciler.isGone(row.life)) throw invalid(`${name} refers to ${called(row)}, whose data are gone from the node`, REFRESH);
    }
};

const REFRESH = "Run `pulumi refresh`, then `pulumi up`.";

const invalid = (message: string, hint?: string) => new ZeroformError({ code: "INVALID", message, hint });
