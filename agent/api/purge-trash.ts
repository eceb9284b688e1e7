import type { Params, PurgedPiece, Result, TrashStatus } from "../../protocol/api.ts";
import { asZeroformError, ZeroformError } from "../../protocol/errors.ts";
import { called } from "../reconciler/inventory.ts";
import type { Call, Core } from "./core.ts";
import { listTrash } from "./trash.ts";

/** Deletes pieces of trash for good, mounts before what lies on them, which goes with them. */
export const purgeTrash = async (core: Core, { lives }: Params<"trash.purge">, call: Call): Promise<Result<"trash.purge">> => {
    const { store, onRemoved } = core;
    const wanted = (await listTrash(core)).filter(({ life }) => lives.includes(life));
    const liesOnWanted = ({ life }: TrashStatus) =>
        Object.values(store.trash.get(life)?.uses ?? {}).some((used) => wanted.some((each) => each.life === used));
    const pieces: PurgedPiece[] = [];
    for (const piece of wanted.toSorted((one, other) => Number(liesOnWanted(one)) - Number(liesOnWanted(other)))) {
        call.signal.throwIfAborted();
        pieces.push(await purge(core, piece, call));
    }
    onRemoved();
    return { pieces };
};

const purge = async (core: Core, piece: TrashStatus, call: Call): Promise<PurgedPiece> => {
    const { store, parts } = core;
    const { life, kind, urn, name } = piece;
    // Gone with the mount that it lay on.
    if (!store.trash.get(life)) return { life, kind, urn, name, bytes: 0 };
    call.progress(`purging ${called(piece)}`);
    try {
        if (piece.unreachable !== undefined) throw outOfReach(piece.unreachable);
        const ground = Object.values(store.trash.get(life)?.uses ?? {}).map((used) => store.trash.get(used) ?? keptRow(core, used));
        const under = ground.find((each) => each !== undefined);
        if (under) throw outOfReach(`its data lie on ${called(under)} (${under.life}), which is not mounted, and go with it`);
        await parts.trash.purge(life, "somebody asked for it", { signal: call.signal, progress: call.progress });
        if (store.trash.get(life)) throw new ZeroformError({ code: "BUSY", message: "it is being restored at this moment" });
        return { life, kind, urn, name, bytes: piece.bytes };
    } catch (failure) {
        return { life, kind, urn, name, bytes: 0, failure: asZeroformError(failure).facts() };
    }
};

const keptRow = ({ store }: Core, life: PurgedPiece["life"]) => {
    const row = store.lives.get(life);
    return row?.desired === "kept" ? row : undefined;
};

const outOfReach = (message: string) => new ZeroformError({ code: "NOT_READY", message });
