import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { isReachable, keepsTerms } from "./access.ts";
import type { ClientSocket } from "./client-socket.ts";
import type { CommandContext } from "./command.ts";
import { execute, isCommand } from "./commands.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import { type Disk, nodeDisk } from "./disk.ts";
import { Erasure } from "./erasure.ts";
import { Hooks, NO_DIRTY_IDS, NOT_RUN } from "./hooks.ts";
import { InputBudget } from "./input-budget.ts";
import { INPUT_BUDGET_BYTES, MAX_CONNECTIONS, OUTPUT_BUDGET_BYTES, READ_BUDGET_BYTES } from "./limits.ts";
import { Listeners } from "./listeners.ts";
import type { Namespace } from "./namespace.ts";
import { DEFAULT_NAMESPACE } from "./namespace-name.ts";
import { Namespaces } from "./namespaces.ts";
import type { ServerOptions } from "./options.ts";
import { OutputBudget } from "./output-budget.ts";
import { OwnListeners } from "./own-listeners.ts";
import { bootId, PowerRecord } from "./power.ts";
import { StartError } from "./refusal.ts";
import { Rotation } from "./rotation.ts";
import { Scrub } from "./scrub.ts";
import { collectGarbage } from "./seam-garbage.ts";
import { lockDirectory } from "./seam-lock.ts";
import { makePoolGiveWay } from "./seam-pool.ts";
import { applyOptions, currentFiles, sharedParts } from "./server-namespaces.ts";
import { instanceName, makeDirectories } from "./server-places.ts";
import type { Entrance, Session } from "./session.ts";
import { newStatistics, type Statistics } from "./statistics.ts";
import { systemTimers, type Timers } from "./syncer.ts";
import { readTlsFiles, TlsIdentity } from "./tls-identity.ts";
import { Turn } from "./turn.ts";
import { Watches } from "./watches.ts";

/** What a server stands on; tests give clocks and limits of their own. */
export interface ServerParts {
    readonly disk: Disk;
    readonly timers: Timers;
    readonly maxConnections: number;
    readonly outputBudgetBytes: number;
    /** One line for the operator. */
    log(line: string): void;
}

export const systemParts: Omit<ServerParts, "log"> = {
    disk: nodeDisk,
    timers: systemTimers,
    maxConnections: MAX_CONNECTIONS,
    outputBudgetBytes: OUTPUT_BUDGET_BYTES,
};

/** One Zero-DB server: namespaces on disk, listeners, clients. */
export class Server {
    private readonly options: ServerOptions;
    private readonly parts: ServerParts;
    private readonly statistics: Statistics = newStatistics();
    private readonly connections = new Set<Connection>();
    private readonly waiting = new Set<Connection>();
    private readonly ownListeners: OwnListeners;
    private readonly turn = new Turn(() => this.parts.timers.nowMs());
    private readonly listeners: Listeners;
    private readonly namespaces: Namespaces;
    private readonly context: CommandContext;
    private readonly host: ConnectionHost;
    private readonly tls: TlsIdentity | undefined;
    private readonly hooks: Hooks;
    private readonly watches: Watches;
    private readonly rotation: Rotation;
    private readonly scrub: Scrub;
    private readonly erasure: Erasure;
    private readonly power: PowerRecord;
    private readonly unlock: () => void;
    private readonly stopCollecting: () => void;
    private readonly leavePool: () => void;
    private isStopping = false;
    /** Resolves when a client that may has asked for the end. */
    readonly stopAsked: Promise<void>;
    private askStop: () => void = () => undefined;

    /** Takes the directories; throws a StartError when they cannot be had. */
    constructor(options: ServerOptions, version: string, parts: ServerParts) {
        const { timers, log } = parts;
        this.options = options;
        this.parts = parts;
        makeDirectories(options);
        this.tls = options.tls && new TlsIdentity(readTlsFiles(options.tls));
        this.unlock = lockDirectory(options.data);
        this.power = new PowerRecord(parts.disk, path.resolve(options.data), bootId());
        this.stopCollecting = collectGarbage(timers);
        this.leavePool = makePoolGiveWay(timers);
        this.hooks = new Hooks(options.hook, instanceName(options), timers, log);
        this.watches = new Watches(timers);
        this.stopAsked = new Promise((resolve) => {
            this.askStop = resolve;
        });
        this.erasure = new Erasure({ timers, hours: options.eraseAfterHours, namespaces: () => this.namespaces.all() });
        this.rotation = new Rotation({ timers, log, seconds: options.rotateS, namespaces: () => this.namespaces.all() });
        this.scrub = new Scrub({
            timers,
            log,
            bytesPerSecond: options.scrubBytesPerSecond,
            namespaces: () => this.namespaces.all(),
            nowMs: () => Date.now(),
        });
        this.ownListeners = new OwnListeners((socket, entrance) => this.accept(socket, entrance), this.tls);
        this.listeners = new Listeners({ timers, log, tls: this.tls, accept: (socket, entrance) => this.accept(socket, entrance) });
        const { power, hooks } = this;
        const namespaceParts = sharedParts(options, parts, {
            power,
            hooks,
            acknowledged: () => this.acknowledged(),
            renewed: (before, now) => this.renewed(before, now),
            arrived: () => {
                if (!this.isStopping) void this.rearrange();
            },
        });
        this.namespaces = new Namespaces(namespaceParts, path.resolve(options.data), options.mode);
        this.context = this.commandContext(version);
        this.host = this.connectionHost();
    }

    /** Loads all namespaces, then opens the listeners. */
    async start(): Promise<void> {
        await this.open();
        for (const address of this.options.listen) {
            await this.ownListeners.openAddress(address);
            this.listeners.addOwn(address);
        }
        if (this.options.socket) await this.ownListeners.openSocket(this.options.socket, "general");
        if (this.options.adminSocket) await this.ownListeners.openSocket(this.options.adminSocket, "admin");
        await this.rearrange();
        if (this.options.rotateS > 0) this.rotation.start();
        this.scrub.start();
        this.erasure.start();
        const code = await this.hooks.fire("ready");
        const how = code === NOT_RUN ? "did not run to its end" : `ended with ${code}`;
        if (code !== 0) throw new StartError(`the hook ready of ${this.options.hook} ${how}: the server starts when it ends with 0`);
    }

    /** Loads all namespaces; nobody can reach them yet. */
    async open(): Promise<void> {
        const { data, index } = this.options;
        await this.hooks.fire("namespaces-init", path.resolve(index), path.resolve(data));
        await this.namespaces.load();
        // What could not be opened yet is still to be looked at.
        if (this.namespaces.unavailable().next().done) this.power.opened(this.parts.log);
        applyOptions(this.options, this.defaultNamespace());
    }

    private acknowledged(): void {
        for (const connection of this.waiting) this.turn.answered(connection);
        this.waiting.clear();
    }

    private renewed(before: Namespace, now: Namespace): void {
        if (now.name === DEFAULT_NAMESPACE) applyOptions(this.options, now);
        this.watches.renewed(before, now);
        for (const { session } of this.connections) if (session.namespace === before) session.namespace = now;
    }

    /** What there is, a line a namespace. */
    *describe(): Iterable<string> {
        for (const { name, entries, liveBytes, properties, disturbance } of this.namespaces.all())
            yield `namespace ${name}: ${entries} entries, ${liveBytes} bytes, mode ${properties.mode}, ${disturbance ?? "ok"}`;
        for (const { name, reason } of this.namespaces.unavailable()) yield `namespace ${name}: unavailable (${reason})`;
    }

    /** Reads again what was read from files and may have been renewed. */
    reload(): void {
        if (!this.tls || !this.options.tls) return;
        try {
            this.tls.renew(readTlsFiles(this.options.tls));
            this.parts.log("the TLS certificate was read again");
        } catch (error) {
            if (!(error instanceof StartError)) throw error;
            this.parts.log(`${error.message}: the one before stays`);
        }
    }

    /** The process dies. */
    crashed(): void {
        this.hooks.cry("crash");
    }

    /** Takes no more requests, sends what was answered, and leaves everything on disk. */
    async stop(): Promise<void> {
        this.isStopping = true;
        this.rotation.stop();
        await this.scrub.stop();
        this.erasure.stop();
        this.stopCollecting();
        this.leavePool();
        this.ownListeners.close();
        this.listeners.close();
        for (const connection of this.connections) connection.stopReading();
        const closing = [...this.namespaces.all()].map((namespace) => ({
            properties: namespace.properties,
            places: currentFiles(this.options, namespace),
        }));
        try {
            await this.namespaces.close();
            for (const connection of this.connections) connection.flush();
        } finally {
            for (const connection of this.connections) connection.endNow();
            for (const { properties, places } of closing) void this.hooks.fireFor(properties, "namespace-closing", ...places, NO_DIRTY_IDS);
            await this.hooks.close();
            this.unlock();
        }
    }

    private commandContext(version: string): CommandContext {
        return {
            readBudget: new InputBudget(READ_BUDGET_BYTES),
            namespaces: this.namespaces,
            listeners: this.listeners,
            turn: this.turn,
            timers: this.parts.timers,
            statistics: this.statistics,
            hooks: this.hooks,
            watches: this.watches,
            version,
            instanceId: randomBytes(4).readUInt32LE(0),
            adminPassword: this.options.admin,
            closed: this.options.closed,
            showsAll: this.options.showAll,
            allowsStop: this.options.allowStop,
            scrubs: this.options.scrubBytesPerSecond > 0,
            sealsSecrets: this.options.sealKeyFile !== undefined,
            stop: () => this.askStop(),
            isCommand,
            indexDirectory: path.resolve(this.options.index),
            log: this.parts.log,
            chat: (line) => this.chat(line),
            rearrange: () => this.rearrange(),
        };
    }

    private connectionHost(): ConnectionHost {
        return {
            turn: this.turn,
            timers: this.parts.timers,
            inputBudget: new InputBudget(INPUT_BUDGET_BYTES),
            outputBudget: new OutputBudget(this.parts.outputBudgetBytes, this.parts.timers),
            execute: (connection, request) => execute(this.context, connection, request),
            received: (bytes) => {
                this.statistics.receivedBytes += bytes;
            },
            sent: (bytes) => {
                this.statistics.sentBytes += bytes;
            },
            waits: (connection) => this.waiting.add(connection),
            left: (connection) => {
                this.connections.delete(connection);
                this.waiting.delete(connection);
                this.watches.leave(connection);
                this.chat(`client ${connection.session.id} left`);
            },
        };
    }

    private accept(socket: ClientSocket, entrance: Entrance): void {
        // Whoever supervises the server must not take it for dead.
        if (this.connections.size >= this.parts.maxConnections && entrance.kind !== "admin") {
            socket.on("error", () => undefined);
            socket.end("-Too many connections\r\n");
            socket.destroySoon();
            return;
        }
        this.statistics.clients++;
        this.chat(`client ${this.statistics.clients} came in by ${entrance.key}`);
        const { admin, adminSocket, closed, protect } = this.options;
        const everyoneIsAdmin = admin === undefined && adminSocket === undefined && !closed;
        const isOwner = entrance.kind === "admin";
        const session: Session = {
            id: this.statistics.clients,
            entrance,
            namespace: this.defaultNamespace(),
            entry: protect && !isOwner ? "public" : "free",
            admin: everyoneIsAdmin || isOwner,
            nonce: undefined,
        };
        this.connections.add(new Connection(socket, this.host, session));
    }

    /** What is said only to those who asked for it. */
    private chat(line: string): void {
        if (this.options.verbose) this.parts.log(line);
    }

    private async rearrange(): Promise<void> {
        const opened = this.listeners.want([...this.namespaces.all()].map(({ properties }) => properties));
        for (const connection of this.connections) if (!this.mayStay(connection.session)) connection.destroy();
        await opened;
    }

    /** Clients of a namespace that is gone hear so at their next command, the others must be where they may be. */
    private mayStay(session: Session): boolean {
        if (!this.listeners.has(session.entrance)) return false;
        const { namespace } = session;
        if (namespace.gone || namespace.name === DEFAULT_NAMESPACE) return true;
        return isReachable(namespace, session, this.options.closed) && keepsTerms(session);
    }

    private defaultNamespace(): Namespace {
        const namespace = this.namespaces.get(DEFAULT_NAMESPACE);
        if (!namespace) throw new Error("the default namespace is not loaded");
        return namespace;
    }
}
