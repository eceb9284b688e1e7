import type { Connection } from "./connection.ts";
import type { Namespace } from "./namespace.ts";
import type { Timers } from "./syncer.ts";

/** What one client waits for. */
interface Watch {
    readonly connection: Connection;
    /** A command's name, or `*` for every one. */
    readonly name: string;
    readonly cancelTimeout: () => void;
    /** Where the client was when it was last seen. */
    namespace: Namespace;
}

/** The clients that asked by WAIT to be told of the next command of others in their namespace; one wish a client. */
export class Watches {
    private readonly timers: Timers;
    private readonly watches = new Map<Connection, Watch>();
    private readonly places = new Map<Namespace, Set<Watch>>();

    constructor(timers: Timers) {
        this.timers = timers;
    }

    watch(connection: Connection, name: string, timeoutMs: number): void {
        this.leave(connection);
        const { namespace } = connection.session;
        const cancelTimeout = this.timers.after(timeoutMs, () => {
            this.leave(connection);
            connection.addAside((replies) => replies.error("Timeout"));
        });
        this.place({ connection, name, cancelTimeout, namespace });
    }

    /** A command of this name was carried out, with or without success, by a client that is in the namespace now. */
    ran(name: string, by: Connection): void {
        if (this.watches.size === 0) return;
        this.moved(by);
        const near = this.places.get(by.session.namespace);
        if (!near) return;
        for (const watch of [...near]) {
            if (watch.connection === by || (watch.name !== name && watch.name !== "*")) continue;
            this.leave(watch.connection);
            watch.connection.addAside((replies) => replies.status(name));
        }
    }

    /** Clients of one namespace are in the other now. */
    renewed(before: Namespace, now: Namespace): void {
        const near = this.places.get(before);
        if (!near) return;
        this.places.delete(before);
        this.places.set(now, near);
        for (const watch of near) watch.namespace = now;
    }

    leave(connection: Connection): void {
        const watch = this.watches.get(connection);
        if (!watch) return;
        watch.cancelTimeout();
        this.watches.delete(connection);
        this.unplace(watch);
    }

    /** A client that waits may have gone to another namespace. */
    private moved(connection: Connection): void {
        const watch = this.watches.get(connection);
        if (!watch || watch.namespace === connection.session.namespace) return;
        this.unplace(watch);
        watch.namespace = connection.session.namespace;
        this.place(watch);
    }

    private place(watch: Watch): void {
        this.watches.set(watch.connection, watch);
        const near = this.places.get(watch.namespace) ?? new Set();
        this.places.set(watch.namespace, near.add(watch));
    }

    private unplace(watch: Watch): void {
        const near = this.places.get(watch.namespace);
        near?.delete(watch);
        if (near?.size === 0) this.places.delete(watch.namespace);
    }
}
