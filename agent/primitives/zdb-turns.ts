import type { Context } from "./driver.ts";
import type { ZdbServer } from "./zdb-places.ts";
import { ensureServer, withServer } from "./zdb-server.ts";

/** Work on namespaces of one server that waits for its turn. */
interface Waiting {
    readonly context: Context;
    readonly begin: () => Promise<void>;
    readonly fail: (failure: unknown) => void;
}

/** By server id. */
const waiting = new Map<string, Waiting[]>();

/**
 * Works on a namespace of a server that runs as it should. All who ask while the server is busy share the next turn: it is looked after once
 * for all of them, and they work on their namespaces beside each other.
 */
export const onServer = <T>(server: ZdbServer, context: Context, act: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
        const one: Waiting = { context, begin: () => act().then(resolve, reject), fail: reject };
        const joined = waiting.get(server.id);
        if (joined) return void joined.push(one);
        waiting.set(server.id, [one]);
        void withServer(server, async () => {
            // Whoever comes from here on waits for the next turn.
            const all = waiting.get(server.id) ?? [];
            waiting.delete(server.id);
            await turn(server, all);
        });
    });

const turn = async (server: ZdbServer, all: readonly Waiting[]): Promise<void> => {
    const progress: Context["progress"] = (doing, moved) => {
        for (const { context } of all) context.progress(doing, moved);
    };
    for (const [index, { context, fail }] of all.entries()) {
        try {
            await ensureServer(server, { ...context, progress });
            await Promise.all(all.slice(index).map(({ begin }) => begin()));
            return;
        } catch (failure) {
            fail(failure);
            // One that is cut off keeps no other from its turn.
            if (context.signal.aborted) continue;
            for (const other of all.slice(index)) other.fail(failure);
            return;
        }
    }
};
