import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { CommandContext } from "../../engines/zdb/command.ts";
import { execute, isCommand } from "../../engines/zdb/commands.ts";
import { Connection, type ConnectionHost } from "../../engines/zdb/connection.ts";
import { Hooks } from "../../engines/zdb/hooks.ts";
import { InputBudget } from "../../engines/zdb/input-budget.ts";
import { INPUT_BUDGET_BYTES, OUTPUT_BUDGET_BYTES, READ_BUDGET_BYTES } from "../../engines/zdb/limits.ts";
import { Listeners } from "../../engines/zdb/listeners.ts";
import type { Namespace } from "../../engines/zdb/namespace.ts";
import { OutputBudget } from "../../engines/zdb/output-budget.ts";
import type { Session } from "../../engines/zdb/session.ts";
import { newStatistics } from "../../engines/zdb/statistics.ts";
import { Turn } from "../../engines/zdb/turn.ts";
import { Watches } from "../../engines/zdb/watches.ts";
import { ManualTimers } from "./manual-timers.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { openStore, type Store, type StoreOptions } from "./store.ts";

/** The server's end of a connection whose client the test plays: it takes answers at once, or when it is told to. */
export class FakeSocket extends EventEmitter {
    /** What the server sent and the client took. */
    taken: Buffer[] = [];
    writableLength = 0;
    isPaused = false;
    /** The server sends nothing more. */
    hasEnded = false;
    isDestroyed = false;
    /** The client takes nothing for now. */
    isSlow = false;
    private readonly offered: { readonly bytes: Buffer; readonly done: (() => void) | undefined }[] = [];

    write(bytes: Buffer, done?: () => void): boolean {
        // The server goes on using its buffer once the write has been taken.
        this.offered.push({ bytes: Buffer.from(bytes), done });
        this.writableLength += bytes.length;
        if (!this.isSlow) setImmediate(() => this.takeAll());
        return !this.isSlow;
    }

    /** The client takes everything there is. */
    takeAll(): void {
        const all = this.offered.splice(0);
        if (all.length === 0 || this.isDestroyed) return;
        for (const { bytes, done } of all) {
            this.taken.push(bytes);
            this.writableLength -= bytes.length;
            done?.();
        }
        this.emit("drain");
    }

    pause(): void {
        this.isPaused = true;
    }

    resume(): void {
        this.isPaused = false;
    }

    end(): void {
        this.hasEnded = true;
    }

    destroy(): void {
        if (this.isDestroyed) return;
        this.isDestroyed = true;
        this.hasEnded = true;
        this.emit("close");
    }

    destroySoon(): void {
        this.destroy();
    }
}

/** Everything behind the sockets of a server, on a disk in memory and a clock of the test's. */
export interface InProcessServer {
    readonly store: Store;
    readonly timers: ManualTimers;
    readonly connections: ReadonlySet<Connection>;
    connect(session?: Partial<Session>): FakeSocket;
}

export const ADMIN_PASSWORD = "admin";

export async function inProcessServer(segmentBytes: number, options: StoreOptions = {}): Promise<InProcessServer> {
    const timers = new ManualTimers();
    const turn = new Turn(() => timers.nowMs());
    const waiting = new Set<Connection>();
    const acknowledged = (): void => {
        for (const connection of waiting) turn.answered(connection);
        waiting.clear();
    };
    const connections = new Set<Connection>();
    const watches = new Watches(timers);
    const renewed = (before: Namespace, now: Namespace): void => {
        watches.renewed(before, now);
        for (const { session } of connections) if (session.namespace === before) session.namespace = now;
    };
    const disk = new MemoryDisk("/data", "/index");
    const store = await openStore("/data", { disk, timers, segmentBytes, acknowledged, renewed, ...options });
    const standard = (): Namespace => store.namespaces.get("default") ?? store.standard;
    const log = (): void => undefined;
    const context: CommandContext = {
        namespaces: store.namespaces,
        readBudget: new InputBudget(READ_BUDGET_BYTES),
        listeners: new Listeners({ timers, tls: undefined, log, accept: () => undefined }),
        turn,
        timers,
        statistics: newStatistics(),
        hooks: new Hooks(undefined, "test", timers, log),
        watches,
        version: "test",
        instanceId: 1,
        adminPassword: ADMIN_PASSWORD,
        closed: false,
        indexDirectory: "/index",
        showsAll: false,
        allowsStop: false,
        scrubs: true,
        sealsSecrets: false,
        stop: () => undefined,
        isCommand,
        log,
        chat: () => undefined,
        rearrange: async () => undefined,
    };
    const host: ConnectionHost = {
        turn,
        timers,
        inputBudget: new InputBudget(INPUT_BUDGET_BYTES),
        outputBudget: new OutputBudget(OUTPUT_BUDGET_BYTES, timers),
        execute: (connection, request) => execute(context, connection, request),
        received: () => undefined,
        sent: () => undefined,
        waits: (connection) => waiting.add(connection),
        left: (connection) => {
            connections.delete(connection);
            waiting.delete(connection);
            watches.leave(connection);
        },
    };
    const connect = (changes: Partial<Session> = {}): FakeSocket => {
        const socket = new FakeSocket();
        const session: Session = {
            id: 1,
            entrance: { key: "test", kind: "general" },
            namespace: standard(),
            entry: "free",
            admin: true,
            nonce: undefined,
            ...changes,
        };
        connections.add(new Connection(socket as unknown as Socket, host, session));
        return socket;
    };
    return { store, timers, connections, connect };
}
