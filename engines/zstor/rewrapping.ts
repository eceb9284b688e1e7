import { unwrapKey, wrapKey } from "./data-key.ts";
import type { Engine } from "./engine.ts";
import { reached } from "./failpoint.ts";
import { REWRAPS_AT_ONCE } from "./limits.ts";
import { StoreError } from "./object-api.ts";
import { NONCE_BYTES } from "./sealing.ts";
import type { Generation } from "./view-rows.ts";

/** Brings data keys to the wrapping key of today, some at a time; nothing of the data is read. Answers how many. */
export async function rewrapSome(engine: Engine): Promise<number> {
    const { keys, view, journal, surroundings } = engine;
    const { wrapping } = engine.config;
    const session = journal.session;
    const old: Generation[] = [];
    for (const object of view.wrapped.next(wrapping, (after, limit) => view.wrappedOtherwiseAfter(after, wrapping, limit))) {
        const otherwise = view.generations(object).filter((each) => !each.removed && each.wrapping !== wrapping);
        if (otherwise.length === 0) view.wrapped.done(object);
        old.push(...otherwise);
        if (old.length >= REWRAPS_AT_ONCE) break;
    }
    if (old.length === 0) return 0;
    const records = old.map(({ object, generation, name, wrapping: before, wrappedKey }) => {
        const dataKey = unwrapKey(keys, before, object, generation, wrappedKey);
        if (dataKey === undefined) throw new StoreError("lost", `the key of ${name} cannot be unwrapped`);
        const wrapped = wrapKey(keys, wrapping, object, generation, dataKey, surroundings.random(NONCE_BYTES));
        return { type: "rewrap", object, generation, wrapping, wrappedKey: wrapped } as const;
    });
    await journal.commit(records, session);
    reached("rotation: keys wrapped anew");
    return old.length;
}
