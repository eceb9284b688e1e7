import * as fs from "node:fs";
import type * as net from "node:net";
import * as tls from "node:tls";
import { errorCode, UNKNOWN_ERROR } from "./disk.ts";
import { TLS_HANDSHAKE_MS } from "./limits.ts";
import type { TlsFiles } from "./options.ts";
import { StartError } from "./refusal.ts";

/** PEM texts: a certificate with its chain, its key, and whose signature clients must show. */
export interface TlsSecrets {
    readonly cert: string;
    readonly key: string;
    readonly ca: string | undefined;
}

/** What listeners show to their clients, and ask of them; exchanged while they serve. */
export class TlsIdentity {
    private readonly servers = new Set<tls.Server>();
    private secrets: TlsSecrets;

    constructor(secrets: TlsSecrets) {
        this.secrets = secrets;
    }

    /** A server that hands over clients whose handshake succeeded. */
    createServer(options: net.ServerOpts, accept: (socket: net.Socket) => void): tls.Server {
        const asksClient = this.secrets.ca !== undefined;
        const server = tls.createServer(
            {
                ...options,
                ...contextOf(this.secrets),
                requestCert: asksClient,
                rejectUnauthorized: asksClient,
                handshakeTimeout: TLS_HANDSHAKE_MS,
            },
            accept,
        );
        // A client that cannot speak TLS, or has no right certificate, is its own affair.
        server.on("tlsClientError", (_error, socket) => socket.destroy());
        this.servers.add(server);
        server.on("close", () => this.servers.delete(server));
        return server;
    }

    /** Clients that come from now on see these; nobody is disconnected. */
    renew(secrets: TlsSecrets): void {
        if (secrets.cert === this.secrets.cert && secrets.key === this.secrets.key && secrets.ca === this.secrets.ca) return;
        this.secrets = secrets;
        for (const server of this.servers) server.setSecureContext(contextOf(secrets));
    }
}

/** Reads what the options name; throws a StartError that says which file is wrong. */
export function readTlsFiles({ cert, key, ca }: TlsFiles): TlsSecrets {
    const secrets = { cert: readPem(cert), key: readPem(key), ca: ca === undefined ? undefined : readPem(ca) };
    try {
        checkTls(secrets);
    } catch (error) {
        const code = errorCode(error);
        const why = code === UNKNOWN_ERROR ? "they do not belong together, or are not PEM" : code;
        throw new StartError(`cannot use the certificate ${cert} with the key ${key} (${why})`);
    }
    return secrets;
}

/** Throws when nobody can listen with these. */
export function checkTls(secrets: TlsSecrets): void {
    tls.createSecureContext(contextOf(secrets));
}

const contextOf = ({ cert, key, ca }: TlsSecrets): Pick<tls.TlsOptions, "cert" | "key" | "ca" | "minVersion"> => ({
    cert,
    key,
    minVersion: "TLSv1.2",
    ...(ca === undefined ? {} : { ca }),
});

function readPem(file: string): string {
    try {
        return fs.readFileSync(file, "latin1");
    } catch (error) {
        throw new StartError(`cannot read ${file} for TLS (${errorCode(error)})`);
    }
}
