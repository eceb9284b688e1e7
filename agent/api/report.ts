import type { ReadReport, ResourceReport } from "../../protocol/api.ts";
import { primitiveOf } from "../../schema/index.ts";
import type { Seen } from "../reconciler/task.ts";
import type { LifeRow } from "../store/lives.ts";
import type { ResourceKind, Values } from "../store/rows.ts";
import type { Core } from "./core.ts";

/** What the node shows of a resource; `given` are the inputs that the program wrote. */
export const reportOf = (core: Core, row: LifeRow, given: Values): ResourceReport => {
    const generatedSecrets = Object.fromEntries(
        Object.entries(row.spec).flatMap(([name, value]) =>
            isSecret(row.kind, name) && given[name] === undefined ? [[name, String(value)] as const] : [],
        ),
    );
    return { ...shown(core, row), generatedSecrets };
};

export const readReportOf = (core: Core, row: LifeRow, differingSecrets: readonly string[]): ReadReport => ({
    ...shown(core, row),
    found: true,
    differingSecrets,
});

const shown = (core: Core, row: LifeRow): Omit<ResourceReport, "generatedSecrets"> => {
    const seen = core.reconciler.seen(row.life);
    const spec = { ...row.spec, ...seen?.actual };
    return {
        life: row.life,
        state: row.state === "ready" ? "ready" : "unfinished",
        reasons: row.reasons,
        spec: Object.fromEntries(Object.entries(spec).filter(([name]) => !isSecret(row.kind, name))),
        outputs: seen?.outputs ?? {},
        ...notesOf(seen),
    };
};

/** Told where there are some only. */
export const notesOf = (seen: Seen | undefined): Pick<ResourceReport, "notes"> => (seen?.notes ? { notes: seen.notes } : {});

const isSecret = (kind: ResourceKind, name: string): boolean => primitiveOf(kind).inputs[name]?.secret ?? false;
