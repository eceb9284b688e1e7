import * as fs from "node:fs";
import type * as net from "node:net";
import * as tls from "node:tls";
import { errorCode, UNKNOWN_ERROR } from "./disk.ts";
import { TLS_HANDSHAKE_MS } from "./limits.ts";
import type { TlsFiles } from "./options.ts";
import { StartError } from "./refusal.ts";

type Secrets = Pick<tls.TlsOptions, "cert" | "key" | "ca" | "minVersion">;

/** What listeners show to their clients, and ask of them: read from files, and read again while they serve. */
export class TlsIdentity {
    private readonly files: TlsFiles;
    private readonly servers = new Set<tls.Server>();
    private secrets: Secrets;

    /** Throws a StartError that says which file is wrong. */
    constructor(files: TlsFiles) {
        this.files = files;
        this.secrets = readSecrets(files);
    }

    /** A server that hands over clients whose handshake succeeded. */
    createServer(options: net.ServerOpts, accept: (socket: net.Socket) => void): tls.Server {
        const asksClient = this.files.ca !== undefined;
        const server = tls.createServer(
            { ...options, ...this.secrets, requestCert: asksClient, rejectUnauthorized: asksClient, handshakeTimeout: TLS_HANDSHAKE_MS },
            accept,
        );
        // A client that cannot speak TLS, or has no right certificate, is its own affair.
        server.on("tlsClientError", (_error, socket) => socket.destroy());
        this.servers.add(server);
        server.on("close", () => this.servers.delete(server));
        return server;
    }

    /** Reads the files again: clients that come from now on see what they hold. Throws a StartError, and keeps what there was. */
    reload(): void {
        this.secrets = readSecrets(this.files);
        for (const server of this.servers) server.setSecureContext(this.secrets);
    }
}

function readSecrets({ cert, key, ca }: TlsFiles): Secrets {
    const secrets: Secrets = {
        cert: readPem(cert),
        key: readPem(key),
        minVersion: "TLSv1.2",
        ...(ca === undefined ? {} : { ca: readPem(ca) }),
    };
    try {
        tls.createSecureContext(secrets);
    } catch (error) {
        const code = errorCode(error);
        const why = code === UNKNOWN_ERROR ? "they do not belong together, or are not PEM" : code;
        throw new StartError(`cannot use the certificate ${cert} with the key ${key} (${why})`);
    }
    return secrets;
}

function readPem(file: string): Buffer {
    try {
        return fs.readFileSync(file);
    } catch (error) {
        throw new StartError(`cannot read ${file} for TLS (${errorCode(error)})`);
    }
}
