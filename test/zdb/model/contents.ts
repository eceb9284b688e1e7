import { parseRetention, type Retention } from "../../../engines/zdb/retention.ts";

/** One value that a key had. */
export interface Version {
    readonly key: string;
    readonly value: string;
    /** undefined: the time of the server. */
    readonly timestamp: number | undefined;
    /** Its place among all writes since the namespace was empty. */
    readonly order: number;
    /** What it took the place of; after a deletion a key is new. */
    readonly previous: Version | undefined;
}

/** A namespace as simple as it can be said: what it holds, what its properties are, and what of the past must be there. */
export class Contents {
    readonly mode: "user" | "seq";
    nextId = 0;
    worm = false;
    access: "open" | "locked" | "frozen" = "open";
    isPublic = true;
    password = "";
    maxsize = 0;
    history: Retention | undefined;
    /** How often it was emptied. */
    epoch = 0;
    /** The newest versions, in the order they were written. */
    private live = new Map<string, Version>();
    /** How many versions behind the newest of each key must be there. */
    private sure = new Map<string, number>();
    private written: Version[] = [];
    private order = 0;

    constructor(mode: "user" | "seq") {
        this.mode = mode;
    }

    get entries(): readonly Version[] {
        return [...this.live.values()];
    }

    get liveBytes(): number {
        return this.entries.reduce((sum, { value }) => sum + Buffer.byteLength(value), 0);
    }

    get(key: string): Version | undefined {
        return this.live.get(key);
    }

    write(key: string, value: string, timestamp: number | undefined): Version {
        const previous = this.live.get(key);
        const version = { key, value, timestamp, order: this.order++, previous };
        this.live.delete(key);
        this.live.set(key, version);
        this.sure.set(key, previous ? (this.sure.get(key) ?? 0) + 1 : 0);
        this.written.push(version);
        this.nextId++;
        return version;
    }

    delete(key: string): void {
        this.live.delete(key);
        this.sure.delete(key);
    }

    empty(): void {
        this.live.clear();
        this.sure.clear();
        this.written = [];
        this.order = 0;
        this.nextId = 0;
        this.epoch++;
    }

    /** Any value that was ever written to a key since the namespace was empty. */
    wasWritten(key: string, value: string): boolean {
        return this.written.some((version) => version.key === key && version.value === value);
    }

    /** Whether HISTORY must find it. */
    isSure(version: Version): boolean {
        let newer = this.live.get(version.key);
        for (let rank = this.sure.get(version.key) ?? 0; newer && rank >= 0; rank--, newer = newer.previous) {
            if (newer === version) return true;
        }
        return false;
    }

    setHistory(text: string): void {
        const retention = parseRetention(text);
        if (retention !== false) this.history = retention;
    }

    /** Segments may have been rewritten: what the retention does not cover may be gone. */
    mayHaveForgotten(): void {
        for (const [key, newest] of this.live) {
            const most = this.sure.get(key) ?? 0;
            let rank = 0;
            for (let newer: Version | undefined = newest; newer && rank < most && this.covers(rank, newer); newer = newer.previous) rank++;
            this.sure.set(key, rank);
        }
    }

    copy(): Contents {
        const copy = new Contents(this.mode);
        const { nextId, worm, access, isPublic, password, maxsize, history, epoch, order } = this;
        Object.assign(copy, { nextId, worm, access, isPublic, password, maxsize, history, epoch, order });
        copy.live = new Map(this.live);
        copy.sure = new Map(this.sure);
        copy.written = [...this.written];
        return copy;
    }

    /** Of a version with this rank that `newer` superseded. Times of administrators are long ago. */
    private covers(rank: number, newer: Version): boolean {
        if (!this.history) return false;
        return this.history.kind === "count" ? rank < this.history.versions : newer.timestamp === undefined;
    }
}
