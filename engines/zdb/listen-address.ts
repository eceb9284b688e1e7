import { isIP } from "node:net";

/** One address and port to listen on. */
export interface ListenAddress {
    readonly host: string;
    readonly port: number;
}

/** The one text for an address: `10.0.0.1:9900`, `[::1]:9900`. Also what a listener is known by. */
export function formatAddress({ host, port }: ListenAddress): string {
    return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Reads `10.0.0.1:9900`, `[::1]:9900`, or an address without a port when a default is given; undefined for anything else.
 * Only addresses: a name may mean another machine tomorrow.
 */
export function parseAddress(text: string, defaultPort?: number): ListenAddress | undefined {
    const bare = text.replace(/^\[(.*)\]$/, "$1");
    if (isIP(bare) !== 0) return defaultPort === undefined ? undefined : { host: bare, port: defaultPort };
    const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
    if (!match) return undefined;
    const host = match[1] ?? match[2] ?? "";
    const port = Number(match[3]);
    if (isIP(host) !== (match[1] === undefined ? 4 : 6) || port < 1 || port > 65_535) return undefined;
    return { host, port };
}

/** Reads the `listen` property: addresses with ports, joined by commas; empty for none; undefined when one of them is wrong. */
export function parseListen(text: string): ListenAddress[] | undefined {
    if (text === "" || text === "*") return [];
    const addresses = new Map<string, ListenAddress>();
    for (const part of text.split(",")) {
        const address = parseAddress(part.trim());
        if (!address) return undefined;
        addresses.set(formatAddress(address), address);
    }
    return [...addresses.values()];
}

export const formatListen = (addresses: readonly ListenAddress[]): string => addresses.map(formatAddress).join(",");
