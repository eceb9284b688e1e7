/** What a client did to one key, in the order of the log. */
export interface Effect {
    readonly key: string;
    /** undefined: deleted. */
    readonly value: string | undefined;
    /** When the client was told. */
    ackedMs?: number | undefined;
    /** From when on no power loss may take it; undefined while nothing is promised. */
    promisedMs?: number | undefined;
}

/** What may be left of a namespace, whatever happened to its disk. */
export class NamespaceModel {
    /** Texts that the watched property may have: of changes that were not acknowledged any or none. */
    texts: string[] = [""];
    /** Its creation or removal was begun and not acknowledged. */
    mayBeAbsent = false;
    /** It was being emptied. */
    mayBeEmpty = false;
    /** It is to be read again before anything is said about it. */
    isVague = false;
    private base = new Map<string, string>();
    private effects: Effect[] = [];
    /** So many of them must stay. */
    private least = 0;
    /** After a power loss. */
    private durableLeast = 0;
    /** Effects of batches that failed, by the number of effects before them: a part of them may have reached the disk. */
    private ghosts: { readonly after: number; readonly effects: readonly Effect[] }[] = [];

    /** As its clients see it now. */
    get now(): ReadonlyMap<string, string> {
        return this.stateAfter(this.effects.length);
    }

    did(effect: Effect): void {
        this.effects.push(effect);
        this.mayBeEmpty = false;
    }

    /** The batch of these effects is not in the log. */
    failed(effects: readonly Effect[]): void {
        const after = this.effects.length - effects.length;
        this.effects.length = after;
        this.ghosts.push({ after, effects });
    }

    get all(): readonly Effect[] {
        return this.effects;
    }

    emptied(): void {
        this.isNow(new Map());
        this.mayBeEmpty = false;
    }

    /** What was found is what it is from here on. */
    isNow(found: ReadonlyMap<string, string>): void {
        this.base = new Map(found);
        this.effects = [];
        this.ghosts = [];
        this.least = 0;
        this.durableLeast = 0;
        this.mayBeEmpty = false;
        this.mayBeAbsent = false;
    }

    /** The server died: what was acknowledged must stay while the machine lives, what `isPromised` whatever happens to it before the next one. */
    ends(isPromised: (effect: Effect) => boolean): void {
        this.least = this.effects.findLastIndex(({ ackedMs }) => ackedMs !== undefined) + 1;
        this.durableLeast = this.effects.findLastIndex(isPromised) + 1;
    }

    lostPower(): void {
        this.least = this.durableLeast;
    }

    /** Why this cannot be what is left; undefined when it can. */
    judge(found: ReadonlyMap<string, string>): string | undefined {
        if (this.mayBeEmpty && found.size === 0) return undefined;
        const { least } = this;
        for (let count = least; count <= this.effects.length; count++) {
            const state = this.stateAfter(count);
            if (isSame(state, found)) return undefined;
            for (const { after, effects } of this.ghosts) {
                if (after !== count) continue;
                const more = new Map(state);
                for (const effect of effects) {
                    apply(more, effect);
                    if (isSame(more, found)) return undefined;
                }
            }
        }
        return `found ${describe(found)}; ${least} of ${this.effects.length} effects were promised: ${describe(this.stateAfter(least))}; all: ${describe(this.now)}`;
    }

    private stateAfter(count: number): Map<string, string> {
        const state = new Map(this.base);
        for (const effect of this.effects.slice(0, count)) apply(state, effect);
        return state;
    }
}

function apply(state: Map<string, string>, { key, value }: Effect): void {
    if (value === undefined) state.delete(key);
    else state.set(key, value);
}

function isSame(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
    return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

function describe(state: ReadonlyMap<string, string>): string {
    return JSON.stringify(
        Object.fromEntries([...state].map(([key, value]) => [Buffer.from(key, "latin1").toString("hex"), value.slice(0, 12)])),
    );
}
