const DEFAULT_PORT = "9900";

/** Whether it is `redis://<namespace>[:<password>]@<host>[:<port>]`, `rediss://` for TLS. */
export const isNamespaceUrl = (text: string): boolean => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.username === "" || url.hostname === "") return false;
    return decoded(url.username) !== undefined && decoded(url.password) !== undefined;
};

/** Which namespace it is: credentials, TLS and a port that is the default one anyway make no other one of it, as in the engine's `identityOf`. */
export const namespaceOf = (text: string): string => {
    if (!isNamespaceUrl(text)) return text;
    const { hostname, port, username } = new URL(text);
    return JSON.stringify([hostname.toLowerCase(), port || DEFAULT_PORT, decoded(username)]);
};

/** Whether each is another namespace. What is no url is another's concern. */
export const areDistinct = (urls: readonly string[]): boolean => new Set(urls.map(namespaceOf)).size === urls.length;

const decoded = (text: string): string | undefined => {
    try {
        return decodeURIComponent(text);
    } catch {
        return undefined;
    }
};
