import type { Log } from "./log.ts";

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
    private isPlanned = false;

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
        setImmediate(() => this.end());
    }

    private end(): void {
        const { logs, connections } = this;
        this.isPlanned = false;
        this.logs = new Set();
        this.connections = new Set();
        for (const log of logs) log.write();
        for (const connection of connections) connection.flush();
    }
}
