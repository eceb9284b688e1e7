import type { RepairPlan } from "./repair-plan.ts";
import { segmentName } from "./segment-header.ts";
import { count } from "./survey-words.ts";

/** What a repair does, a line each, in the form "it would ...". */
export function planLines(name: string, plan: RepairPlan): string[] {
    const { rewritten, setAside, deleted, forgotten, changes, modeLsn, droppedSidecars, leftovers, cutBytes, builtSidecars } = plan;
    return [
        ...(cutBytes > 0 ? [`cut ${cutBytes} bytes of an unfinished write at the end, as the next start would`] : []),
        ...(deleted.length > 0
            ? [
                  `delete ${count(deleted.length, "key")} whose newest record is lost, so that no older value comes back as if it were the last`,
              ]
            : []),
        ...(forgotten.includes("password")
            ? [`keep clients out until an administrator sets a password (NSSET ${name} password ...): the one there was may be lost`]
            : []),
        ...(forgotten.includes("tls") ? [`keep its own listeners shut until NSSET ${name} tls ... sets or clears it: it may be lost`] : []),
        ...(changes.length > 0 ? [`make it private, because it may have been (NSSET ${name} public 1 undoes that)`] : []),
        ...(modeLsn === undefined ? [] : ["say again that its mode is seq: its keys are ids"]),
        ...rewritten.map(({ header: { number, generation } }) => {
            const file = segmentName(number);
            return `write ${file} anew from what can be read of it; the original stays beside it as ${file}.damaged-${generation}`;
        }),
        ...setAside.map(({ number }) => `put ${segmentName(number)} aside as ${segmentName(number)}.damaged-0: nothing can be read of it`),
        ...(droppedSidecars.length > 0 ? [`remove ${count(droppedSidecars.length, "damaged sidecar")}`] : []),
        ...(builtSidecars > 0 ? [`write ${count(builtSidecars, "sidecar")} anew`] : []),
        ...(plan.dropsCheckpoint ? ["remove the damaged checkpoint; the server writes another"] : []),
        ...(leftovers.length > 0 ? [`remove what an interrupted work left over: ${leftovers.join(", ")}`] : []),
    ];
}

/** The same for programs. */
export function planJson(plan: RepairPlan): Record<string, unknown> {
    return {
        rewritten: plan.rewritten.map(({ header }) => segmentName(header.number)),
        putAside: plan.setAside.map(({ number }) => segmentName(number)),
        deletedKeys: plan.deleted.length,
        forgottenProperties: plan.forgotten,
        properties: Object.fromEntries(plan.changes.map(({ name, text }) => [name, text])),
        modeRestored: plan.modeLsn !== undefined,
        cutBytes: plan.cutBytes,
        removedSidecars: plan.droppedSidecars.map(segmentName),
        builtSidecars: plan.builtSidecars,
        removedCheckpoint: plan.dropsCheckpoint,
        removedLeftovers: plan.leftovers,
    };
}
