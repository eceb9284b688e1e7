/** One write that was sent. */
interface Tried {
    /** undefined: a deletion. */
    readonly value: string | undefined;
    /** When its client was told that it was done. */
    ackedMs: number | undefined;
}

/** What one client wrote to each key, to judge what is found when the server is back. Nobody else writes these keys. */
export class KeyLedger {
    acknowledged = 0;
    private readonly tried = new Map<string, Tried[]>();
    private values = 0;

    /** Never the same twice. */
    newValue(bytes: number): string {
        return `${this.values++}:${"v".repeat(bytes)}`;
    }

    keys(): Iterable<string> {
        return this.tried.keys();
    }

    tries(key: string, value: string | undefined): Tried {
        const tried: Tried = { value, ackedMs: undefined };
        const all = this.tried.get(key) ?? [{ value: undefined, ackedMs: Number.NEGATIVE_INFINITY }];
        all.push(tried);
        this.tried.set(key, all);
        return tried;
    }

    /** What is found must be the last write acknowledged up to `promisedMs`, or a later one; from here on it is what counts. */
    judge(what: string, key: string, found: string | undefined, promisedMs: number): void {
        const all = this.tried.get(key) ?? [];
        this.acknowledged += all.filter(({ ackedMs }) => ackedMs !== undefined && ackedMs > 0).length;
        const least = all.findLastIndex(({ ackedMs }) => ackedMs !== undefined && ackedMs <= promisedMs);
        const possible = all.slice(Math.max(0, least));
        if (!possible.some(({ value }) => value === found)) {
            const wanted = possible.map(({ value }) => value?.slice(0, 8) ?? "nothing").join(" or ");
            throw new Error(`${what}: found ${found?.slice(0, 8) ?? "nothing"} instead of ${wanted}`);
        }
        this.tried.set(key, [{ value: found, ackedMs: Number.NEGATIVE_INFINITY }]);
    }
}
