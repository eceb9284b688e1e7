import type { Holdings } from "../../protocol/api.ts";
import { bytesOf } from "../../schema/quantity.ts";
import type { LifeRow } from "../store/lives.ts";
import type { Core } from "./core.ts";
import { statusOfTenant } from "./status.ts";
import { listTrash } from "./trash.ts";

/** Who owns what on this machine, the oldest tenant first. */
export const holdingsOf = async (core: Core): Promise<readonly Holdings[]> => {
    const { store, sessions } = core;
    const trash = await listTrash(core);
    return store.tenants.all().map((row) => {
        const own = store.lives.where(({ tenant }) => tenant === row.tenant);
        const live = own.filter(({ desired }) => desired !== "kept");
        const thrown = trash.filter(({ tenant }) => tenant === row.tenant);
        const kinds = [...new Set(live.map(({ kind }) => kind))];
        return {
            ...statusOfTenant(row),
            active: sessions.isWorkedFor(row.tenant),
            resources: kinds.map((kind) => ({ kind, count: live.filter((each) => each.kind === kind).length })),
            unconfirmed: own.filter(({ confirmed }) => !confirmed).length,
            kept: own.length - live.length,
            bytes: sum(own.map(bytesTaken)),
            trash: { count: thrown.length, bytes: sum(thrown.map(({ bytes }) => bytes)) },
        };
    });
};

/** What lies on another resource takes of that one's bytes. */
const bytesTaken = ({ spec, uses }: LifeRow): number =>
    typeof spec.size === "string" && Object.keys(uses).length === 0 ? bytesOf(spec.size) : 0;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
