import { StoreError } from "./object-api.ts";

/** Where a namespace is and how one gets in. */
export interface BackendAddress {
    readonly host: string;
    readonly port: number;
    readonly tls: boolean;
    readonly namespace: string;
    readonly password: string | undefined;
}

const DEFAULT_PORT = 9900;

/** Reads `redis://<namespace>[:<password>]@<host>[:<port>]`, `rediss://` for TLS; host names, IPv4, `[IPv6]`. Complaints never show the password. */
export function parseBackendUrl(text: string): BackendAddress {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || (url.protocol !== "redis:" && url.protocol !== "rediss:"))
        throw new StoreError("invalid", "a backend's url has the form redis://<namespace>:<password>@<host>:<port>");
    const namespace = decoded(url.username, url.host);
    if (namespace === "" || url.hostname === "")
        throw new StoreError("invalid", `the url of the backend at ${url.host} has no ${namespace === "" ? "namespace" : "host"}`);
    return {
        host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
        port: url.port === "" ? DEFAULT_PORT : Number(url.port),
        tls: url.protocol === "rediss:",
        namespace,
        password: url.password === "" ? undefined : decoded(url.password, url.host),
    };
}

function decoded(text: string, host: string): string {
    try {
        return decodeURIComponent(text);
    } catch {
        throw new StoreError("invalid", `the url of the backend at ${host} has a % that begins no %XX: write it as %25`);
    }
}

/** For people: without the password. */
export function nameOfBackend(url: string): string {
    const { host, port, namespace } = parseBackendUrl(url);
    return `${namespace}@${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** What stays when credentials change. Urls of tests are no addresses. */
export function identityOf(url: string): string {
    if (!url.startsWith("redis")) return url;
    const { host, port, namespace } = parseBackendUrl(url);
    return `${host.toLowerCase()} ${port} ${namespace}`;
}

/** For people: without the password. Urls of tests are no addresses. */
export function nameOf(url: string): string {
    return url.startsWith("redis") ? nameOfBackend(url) : url;
}
