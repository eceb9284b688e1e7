import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { openServerChannel } from "../../protocol/channel.ts";
import { asZeroformError } from "../../protocol/errors.ts";
import { agreedProtocol } from "../../protocol/version.ts";
import type { Agent } from "../agent.ts";
import { handlersFor } from "./handlers.ts";
import { readIntroduction } from "./introduction.ts";
import { limitMessages } from "./message-limit.ts";

/** Providers and observers of one machine at a time; each is a process somewhere. */
const MOST_CONNECTIONS = 128;

export interface ApiServer {
    /** Takes no more connections and drops those there are. */
    close(): Promise<void>;
}

/** Listens on a unix socket that only root can reach. */
export const listen = async (agent: Agent, path: string): Promise<ApiServer> => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    chmodSync(dirname(path), 0o700);
    rmSync(path, { force: true });
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket));
        // A peer that goes away in the middle of something is an end like any other.
        socket.on("error", () => socket.destroy());
        if (sockets.size > MOST_CONNECTIONS) return void socket.destroy();
        converse(agent, socket).catch((failure: unknown) => {
            console.error(`a conversation failed: ${asZeroformError(failure).message}`);
            socket.destroy();
        });
    });
    await bound(server, path);
    chmodSync(path, 0o600);
    return {
        close: async () => {
            const closed = new Promise((resolve) => server.close(resolve));
            for (const socket of sockets) socket.destroy();
            await closed;
        },
    };
};

/** Nobody else may connect between the making of the socket and its mode. */
const bound = (server: Server, path: string): Promise<void> =>
    new Promise((resolve, reject) => {
        const mask = process.umask(0o177);
        server.once("error", reject);
        server.listen(path, () => {
            process.umask(mask);
            resolve();
        });
    });

const converse = async (agent: Agent, socket: Socket): Promise<void> => {
    const introduction = await readIntroduction(socket);
    if (!introduction) return void socket.destroy();
    const channel = {};
    const { session, protocols } = introduction;
    const peer = { protocol: agreedProtocol(protocols), session, channel };
    const closed = agent.opened(channel, session, () => socket.end());
    const messages = socket.pipe(limitMessages());
    messages.on("error", () => socket.destroy());
    const server = openServerChannel(messages, socket, agent.welcome(session, peer.protocol), handlersFor(agent, peer));
    socket.once("close", () => server.close());
    await server.closed;
    closed();
    socket.destroy();
};
