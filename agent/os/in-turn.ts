const last = new Map<string, Promise<unknown>>();

/** Lets one after the other through, in the order of asking, for each key on its own. */
export const inTurn = <T>(key: string, act: () => Promise<T>): Promise<T> => {
    const before = last.get(key) ?? Promise.resolve();
    const mine = before.then(act, act);
    last.set(key, mine);
    const settled = () => {
        if (last.get(key) === mine) last.delete(key);
    };
    mine.then(settled, settled);
    return mine;
};
