import { existsSync } from "node:fs";
import { ZeroformError } from "../protocol/errors.ts";
import type { Life } from "../protocol/ids.ts";
import { STORE_FILE } from "../protocol/layout.ts";
import type { ResourceUnits } from "../protocol/units.ts";
import type { Resource } from "./primitives/driver.ts";
import { drivers } from "./primitives/index.ts";
import type { Drivers } from "./reconciler/drivers.ts";
import { type DescribedRow, lookIntoStore } from "./store/look.ts";

/** Prints the units of all resources, or of those of a life, a name or a URN. Needs no agent that runs. Answers an exit status. */
export const printUnits = async (what: string | undefined, path = STORE_FILE): Promise<number> => {
    if (!existsSync(path))
        throw new ZeroformError({ code: "AGENT_GONE", message: `there is no desired state on this machine (${path} is missing)` });
    const rows = lookIntoStore(path);
    const found = unitsOf(rows, drivers as unknown as Drivers).filter(
        ({ life, name, urn }) => what === undefined || [life, name, urn].includes(what),
    );
    // An exit does not wait for a pipe that is read slowly.
    await new Promise((resolve) => process.stdout.write(found.map((each) => `${JSON.stringify(each)}\n`).join(""), resolve));
    return 0;
};

/** The units of every resource, live or in the trash. */
export const unitsOf = (rows: readonly DescribedRow[], drivers: Drivers): readonly ResourceUnits[] => {
    const byLife = new Map(rows.map((row) => [row.life, row]));
    const resourceOf = ({ life, tenant, kind, urn, name, spec, uses }: DescribedRow): Resource => ({
        life,
        tenant,
        kind,
        urn,
        name,
        spec,
        uses: Object.fromEntries(
            Object.entries(uses).flatMap(([input, used]: [string, Life]) => {
                const row = byLife.get(used);
                return row ? [[input, resourceOf(row)]] : [];
            }),
        ),
    });
    const all = rows.map((row) => ({ row, units: drivers[row.kind].units(resourceOf(row)) }));
    const live = all.filter(({ row }) => !row.trashed);
    return all.map(({ row: { life, kind, name, urn, tenant, trashed }, units }) => ({
        life,
        kind,
        name,
        urn,
        tenant,
        trashed,
        units: units.map((unit) => ({
            unit,
            sharedWith: live.filter((other) => other.row.life !== life && other.units.includes(unit)).map((other) => other.row.name),
        })),
    }));
};
