import { ZeroformError } from "../../protocol/errors.ts";
import type { Kind } from "../../schema/index.ts";
import { millisecondsOf } from "../../schema/quantity.ts";
import type { Patience } from "./attempts.ts";
import { givenTimeoutOf, timeoutOf } from "./outputs.ts";
import type { Surroundings } from "./surroundings.ts";
import { nameOf, type Properties, text, URN } from "./values.ts";

/** What create and update leave: a resource, ready or not. */
export interface Outcome {
    readonly id: string;
    readonly outputs: Properties;
    /** Why it is not ready; empty when it is. */
    readonly reasons: readonly string[];
}

export type Reading = { readonly found: false } | { readonly found: true; readonly outputs: Properties; readonly inputs: Properties };

/** The contacts that a kind of resource has with its node. */
export interface Operations {
    create(inputs: Properties): Promise<Outcome>;
    update(id: string, olds: Properties, news: Properties): Promise<Outcome>;
    read(id: string, outputs: Properties): Promise<Reading>;
    delete(id: string, outputs: Properties): Promise<void>;
}

export type Action = "create" | "update" | "read" | "delete";

/** Nothing is made by a read, so it waits only as long as a node takes to start. */
const READ_TIMEOUT = "1m";

/** How long an operation on a resource is tried, and how its errors begin. */
export const patienceFor = (
    { clock, engine }: Surroundings,
    kind: Kind,
    action: Action,
    properties: Properties,
    node: string | undefined,
): Patience => {
    const urn = text(properties[URN]) ?? "";
    return {
        timeoutMs: millisecondsOf(action === "read" ? READ_TIMEOUT : timeoutOf(properties, action)),
        isGiven: action !== "read" && givenTimeoutOf(properties, action) !== undefined,
        setting: action === "read" ? undefined : `timeouts.${action}`,
        clock,
        engine,
        urn,
        context: { action, kind, name: urn === "" ? undefined : nameOf(urn), node },
    };
};

export const notAnId = (kind: Kind, id: string): ZeroformError =>
    new ZeroformError({
        code: "INVALID",
        kind,
        message: `"${id.slice(0, 80)}" is not the id of a ${kind}`,
        hint: kind === "Node" ? "An id is <machine>/<tenant>." : "An id is <machine>/<tenant>/<life>.",
    });
