import * as fs from "node:fs";
import type { ClientSocket, SocketServer } from "./client-socket.ts";
import { errorCode } from "./disk.ts";
import { formatAddress, type ListenAddress } from "./listen-address.ts";
import { listen } from "./listeners.ts";
import { StartError } from "./refusal.ts";
import type { Entrance } from "./session.ts";
import type { TlsIdentity } from "./tls-identity.ts";

type Accept = (socket: ClientSocket, entrance: Entrance) => void;

/** The listeners that the server was started with: there from start to end, or it does not start. */
export class OwnListeners {
    private readonly accept: Accept;
    private readonly tls: TlsIdentity | undefined;
    private readonly servers: SocketServer[] = [];

    constructor(accept: Accept, tls: TlsIdentity | undefined) {
        this.accept = accept;
        this.tls = tls;
    }

    async openAddress(address: ListenAddress): Promise<void> {
        const key = formatAddress(address);
        try {
            this.servers.push(await listen((socket) => this.accept(socket, { key, kind: "general" }), address, this.tls));
        } catch (error) {
            throw new StartError(`cannot listen on ${key} (${errorCode(error)}): give another --listen or --port`);
        }
    }

    async openSocket(file: string, kind: "general" | "admin"): Promise<void> {
        try {
            // The lock on the data directory says that whoever made it is gone.
            if (fs.lstatSync(file, { throwIfNoEntry: false })?.isSocket()) fs.unlinkSync(file);
            // Nobody else may connect between its making and the next line either.
            const umask = process.umask(0o177);
            try {
                this.servers.push(await listen((socket) => this.accept(socket, { key: file, kind }), { path: file }));
            } finally {
                process.umask(umask);
            }
            if (kind === "general") fs.chmodSync(file, 0o777 & ~umask);
        } catch (error) {
            throw new StartError(`cannot listen on the socket ${file} (${errorCode(error)})`);
        }
    }

    close(): void {
        for (const server of this.servers) server.close();
    }
}
