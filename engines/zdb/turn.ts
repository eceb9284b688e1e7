import type { Log } from "./log.ts";
import type { Namespace } from "./namespace.ts";

/** What has answers to send at the end of a turn. */
export interface Flushable {
    flush(): void;
}

/**
 * One turn of the event loop: all requests that arrived are executed, then every log that got records is written once,
 * and only then the answers go out, so that a write is in the file before its client hears of it.
 */
export class Turn {
    private logs = new Set<Log>();
    private connections = new Set<Flushable>();
    /** Those whose commands of this turn have their time taken. */
    private readonly timed = new Set<Namespace>();
    private readonly nowMs: () => number;
    private startedMs = 0;
    private isPlanned = false;

    constructor(nowMs: () => number) {
        this.nowMs = nowMs;
    }

    /** A command was carried out in the namespace. */
    carriedOut(namespace: Namespace): void {
        this.timed.add(namespace);
    }

    /** The log has records that are not in its file. */
    wrote(log: Log): void {
        this.logs.add(log);
        this.plan();
    }

    /** The connection has answers. */
    answered(connection: Flushable): void {
        this.connections.add(connection);
        this.plan();
    }

    private plan(): void {
        if (this.isPlanned) return;
        this.isPlanned = true;
        this.startedMs = this.nowMs();
        setImmediate(() => this.end());
    }

    private takeTime(): void {
        if (this.timed.size === 0) return;
        const nowMs = this.nowMs();
        for (const { measures, log } of this.timed) measures.turnEnded(this.startedMs, nowMs, log.writtenLsn, log.syncer.acknowledgedLsn);
        this.timed.clear();
    }

    private end(): void {
        const { logs, connections } = this;
        this.isPlanned = false;
        this.logs = new Set();
        this.connections = new Set();
        for (const log of logs) log.write();
        this.takeTime();
        for (const connection of connections) connection.flush();
    }
}
