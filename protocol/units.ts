import type { Kind } from "../schema/index.ts";
import type { Life, TenantId } from "./ids.ts";

/** What `zeroform-agent units` prints of a resource, one as JSON on each line: where its journal is. It works without the agent. */
export interface ResourceUnits {
    readonly life: Life;
    readonly kind: Kind;
    readonly name: string;
    readonly urn: string;
    readonly tenant: TenantId;
    /** Only its data are left, in the trash. */
    readonly trashed: boolean;
    readonly units: readonly {
        readonly unit: string;
        /** Names of other resources that the same unit realises. */
        readonly sharedWith: readonly string[];
    }[];
}
