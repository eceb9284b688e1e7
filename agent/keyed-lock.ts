/** Lets one after the other through, in the order of asking, for each key on its own. */
export class KeyedLock {
    readonly #last = new Map<string, Promise<void>>();

    async run<T>(key: string, act: () => Promise<T>): Promise<T> {
        const before = this.#last.get(key);
        const { promise: mine, resolve: release } = Promise.withResolvers<void>();
        this.#last.set(key, mine);
        await before;
        try {
            return await act();
        } finally {
            release();
            if (this.#last.get(key) === mine) this.#last.delete(key);
        }
    }
}
