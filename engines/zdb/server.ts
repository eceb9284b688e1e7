import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import type * as net from "node:net";
import * as path from "node:path";
import { isReachable, keepsTerms } from "./access.ts";
import type { CommandContext } from "./command.ts";
import { execute } from "./commands.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import { errorCode, nodeDisk } from "./disk.ts";
import { DiskSpace } from "./disk-space.ts";
import { InputBudget } from "./input-budget.ts";
import { INPUT_BUDGET_BYTES, MAX_CONNECTIONS, OUTPUT_BUDGET_BYTES } from "./limits.ts";
import { formatAddress, type ListenAddress } from "./listen-address.ts";
import { Listeners, listen } from "./listeners.ts";
import type { Namespace } from "./namespace.ts";
import { DEFAULT_NAMESPACE } from "./namespace-name.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import { Namespaces } from "./namespaces.ts";
import { OpenFiles } from "./open-files.ts";
import type { ServerOptions } from "./options.ts";
import { OutputBudget } from "./output-budget.ts";
import { StartError } from "./refusal.ts";
import { readSealKey } from "./seal.ts";
import { lockDirectory } from "./seam-lock.ts";
import type { Entrance, Session } from "./session.ts";
import { newStatistics, type Statistics } from "./statistics.ts";
import { systemTimers, type Timers } from "./syncer.ts";
import { Turn } from "./turn.ts";

/** What a server stands on; tests give clocks and limits of their own. */
export interface ServerParts {
    readonly timers: Timers;
    readonly maxConnections: number;
    readonly outputBudgetBytes: number;
    /** One line for the operator. */
    log(line: string): void;
}

export const systemParts: Omit<ServerParts, "log"> = {
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
    private readonly ownServers: net.Server[] = [];
    private readonly turn = new Turn();
    private readonly listeners: Listeners;
    private readonly namespaces: Namespaces;
    private readonly context: CommandContext;
    private readonly host: ConnectionHost;
    private readonly unlock: () => void;
    private isStopping = false;

    /** Takes the directories; throws a StartError when they cannot be had. */
    constructor(options: ServerOptions, version: string, parts: ServerParts) {
        const { timers, log } = parts;
        this.options = options;
        this.parts = parts;
        makeDirectories(options);
        this.unlock = lockDirectory(options.data);
        this.listeners = new Listeners({ timers, log, accept: (socket, entrance) => this.accept(socket, entrance) });
        this.namespaces = new Namespaces(this.namespaceParts(), path.resolve(options.data), options.mode);
        this.context = this.commandContext(version);
        this.host = this.connectionHost();
    }

    /** Loads all namespaces, then opens the listeners. */
    async start(): Promise<void> {
        await this.namespaces.load();
        const standard = this.defaultNamespace();
        if (this.options.maxsize > 0) standard.properties.maxsize = this.options.maxsize;
        for (const address of this.options.listen) await this.listenOn(address);
        if (this.options.socket) await this.listenOnSocket(this.options.socket, "general");
        if (this.options.adminSocket) await this.listenOnSocket(this.options.adminSocket, "admin");
        await this.rearrange();
    }

    /** Takes no more requests, sends what was answered, and leaves everything on disk. */
    async stop(): Promise<void> {
        this.isStopping = true;
        for (const server of this.ownServers) server.close();
        this.listeners.close();
        for (const connection of this.connections) connection.stopReading();
        try {
            await this.namespaces.close();
            for (const connection of this.connections) connection.flush();
        } finally {
            for (const connection of this.connections) connection.endNow();
            this.unlock();
        }
    }

    private namespaceParts(): NamespaceParts {
        const { data, durability, sealKeyFile } = this.options;
        const { timers, log } = this.parts;
        return {
            disk: nodeDisk,
            timers,
            indexDirectory: path.resolve(this.options.index),
            space: new DiskSpace(nodeDisk, data, () => timers.nowMs()),
            files: new OpenFiles(),
            durability,
            seal: sealKeyFile === undefined ? undefined : readSealKey(sealKeyFile),
            segmentBytes: undefined,
            log,
            acknowledged: () => {
                for (const connection of this.waiting) this.turn.answered(connection);
                this.waiting.clear();
            },
            arrived: () => {
                if (!this.isStopping) void this.rearrange();
            },
        };
    }

    private commandContext(version: string): CommandContext {
        return {
            namespaces: this.namespaces,
            listeners: this.listeners,
            turn: this.turn,
            timers: this.parts.timers,
            statistics: this.statistics,
            version,
            instanceId: randomBytes(4).readUInt32LE(0),
            adminPassword: this.options.admin,
            closed: this.options.closed,
            indexDirectory: path.resolve(this.options.index),
            log: this.parts.log,
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
            },
        };
    }

    private async listenOn(address: ListenAddress): Promise<void> {
        const key = formatAddress(address);
        try {
            this.ownServers.push(await listen((socket) => this.accept(socket, { key, kind: "general" }), address));
        } catch (error) {
            throw new StartError(`cannot listen on ${key} (${errorCode(error)}): give another --listen or --port`);
        }
        this.listeners.addOwn(address);
    }

    private async listenOnSocket(file: string, kind: "general" | "admin"): Promise<void> {
        try {
            // The lock on the data directory says that whoever made it is gone.
            if (fs.lstatSync(file, { throwIfNoEntry: false })?.isSocket()) fs.unlinkSync(file);
            // Nobody else may connect between its making and the next line either.
            const umask = process.umask(0o177);
            try {
                this.ownServers.push(await listen((socket) => this.accept(socket, { key: file, kind }), { path: file }));
            } finally {
                process.umask(umask);
            }
            if (kind === "general") fs.chmodSync(file, 0o777 & ~umask);
        } catch (error) {
            throw new StartError(`cannot listen on the socket ${file} (${errorCode(error)})`);
        }
    }

    private accept(socket: net.Socket, entrance: Entrance): void {
        if (this.connections.size >= this.parts.maxConnections) {
            socket.on("error", () => undefined);
            socket.end("-Too many connections\r\n");
            socket.destroySoon();
            return;
        }
        this.statistics.clients++;
        const { admin, adminSocket, closed } = this.options;
        const everyoneIsAdmin = admin === undefined && adminSocket === undefined && !closed;
        const session: Session = {
            entrance,
            namespace: this.defaultNamespace(),
            entry: "free",
            admin: everyoneIsAdmin || entrance.kind === "admin",
            nonce: undefined,
        };
        this.connections.add(new Connection(socket, this.host, session));
    }

    private async rearrange(): Promise<void> {
        const wanted: ListenAddress[] = [];
        for (const { properties } of this.namespaces.all()) wanted.push(...properties.listen);
        const opened = this.listeners.want(wanted);
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

function makeDirectories({ data, index }: ServerOptions): void {
    for (const directory of [data, index]) {
        try {
            fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
        } catch (error) {
            throw new StartError(`cannot make the directory ${directory} (${errorCode(error)})`);
        }
    }
}
