import type { Resource, Trashed } from "../../../agent/primitives/driver.ts";
import type { ErrorFacts } from "../../../protocol/errors.ts";

/** A verb of a driver, to be run on a test host. */
export interface Request {
    readonly kind: "ZMount" | "Zdb" | "ZStor";
    readonly verb: "inquire" | "admit" | "apply" | "observe" | "remove" | "trashed" | "purge" | "restore" | "watch";
    readonly resource: Resource;
    readonly old?: Resource;
    /** Whose data are put back. */
    readonly from?: Resource;
    /** Where the resource's own data go meanwhile. */
    readonly own?: string;
    readonly keep?: boolean;
    readonly resources: readonly Resource[];
    readonly trash: readonly Trashed[];
}

export type Answer =
    | { readonly ok: unknown; readonly said: readonly string[] }
    | { readonly error: ErrorFacts; readonly said: readonly string[] };
