import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import type { Random } from "./random.ts";

/** Most that a restarting server, a host that boots, or a link that comes back may take. */
const PATIENCE_MS = 30_000;
const VALUE_BYTES_MAX = 2_000;

/** Everything that stores have acknowledged: owed until its Zdb is taken out of the program. */
export class Ledger {
    readonly #owed = new Map<string, Map<string, string>>();
    readonly #random: Random;
    #serial = 0;

    constructor(random: Random) {
        this.#random = random;
    }

    /** Writes some new keys, and some old ones anew, to each store. */
    async write(urls: Readonly<Record<string, string>>, count = 5): Promise<void> {
        await Promise.all(
            Object.entries(urls).map(([name, url]) =>
                using(url, async (client) => {
                    const owed = this.#of(name);
                    for (let index = 0; index < count; index++) {
                        const key = this.#random.chance(0.2) && owed.size > 0 ? ([...owed.keys()][0] ?? "") : `key-${this.#serial++}`;
                        const value = "v".repeat(this.#random.whole(1, VALUE_BYTES_MAX)) + this.#serial++;
                        await untilTaken(() => client.set(key, value));
                        owed.set(key, value);
                    }
                }),
            ),
        );
    }

    /** Writes new keys without end until told to stop: what was acknowledged meanwhile is owed, what was not is nobody's. */
    keepWriting(urls: Readonly<Record<string, string>>): () => Promise<void> {
        let isOver = false;
        const clients: Redis[] = [];
        const writers = Object.entries(urls).map(async ([name, url]) => {
            const client = new Redis(url, { connectTimeout: 500, commandTimeout: 500, maxRetriesPerRequest: 0, retryStrategy: () => 50 });
            client.on("error", () => undefined);
            clients.push(client);
            while (!isOver) {
                const [key, value] = [`during-${this.#serial++}`, `value ${this.#serial}`];
                const answer = await client.set(key, value).catch(() => undefined);
                if (answer === "OK") this.#of(name).set(key, value);
                await new Promise((resolve) => {
                    setTimeout(resolve, 20);
                });
            }
        });
        return async () => {
            isOver = true;
            await Promise.all(writers);
            for (const client of clients) client.disconnect();
        };
    }

    /** Nothing is owed any more of stores that the program does not have. */
    forgetAllBut(names: readonly string[]): void {
        for (const name of this.#owed.keys()) if (!names.includes(name)) this.#owed.delete(name);
    }

    /** What is not as it was acknowledged, in words; empty when nothing was lost. */
    async missing(urls: Readonly<Record<string, string>>): Promise<readonly string[]> {
        const lost = [...this.#owed].map(async ([name, owed]) => {
            const url = urls[name];
            if (url === undefined) return [`${name} with ${owed.size} keys is not there`];
            return using(url, async (client) => {
                const keys = [...owed.keys()];
                const found = keys.length === 0 ? [] : await client.mget(keys);
                const wrong = keys.filter((key, index) => found[index] !== owed.get(key));
                return wrong.length === 0 ? [] : [`${name} lost ${wrong.length} of ${keys.length} keys: ${wrong.slice(0, 3).join(", ")}`];
            });
        });
        return (await Promise.all(lost)).flat();
    }

    #of(name: string): Map<string, string> {
        const owed = this.#owed.get(name) ?? new Map<string, string>();
        this.#owed.set(name, owed);
        return owed;
    }
}

/** A store that has just met a full disk says so for another second. */
const untilTaken = async (set: () => Promise<unknown>): Promise<void> => {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
        try {
            await set();
            return;
        } catch (failure) {
            if (!String(failure).includes("the disk is full") || Date.now() > deadline) throw failure;
            await sleep(100);
        }
    }
};

const using = async <T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> => {
    const client = new Redis(url, { connectTimeout: 2_000, maxRetriesPerRequest: PATIENCE_MS / 100, retryStrategy: () => 100 });
    client.on("error", () => undefined);
    try {
        return await use(client);
    } finally {
        client.disconnect();
    }
};
