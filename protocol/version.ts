/** Version of this package, and of the agent it brings. A test compares it with package.json. */
export const VERSION = "0.3.0";

/** Version of the RPC protocol that this release was written for. 2: figures, events that are followed, trash and tenants by hand. */
export const PROTOCOL = 2;
/** All that it speaks: this one, and the one before. */
export const PROTOCOLS_UNDERSTOOD: readonly number[] = [PROTOCOL, PROTOCOL - 1];

/** The newest protocol that both ends speak; undefined when there is none. */
export const agreedProtocol = (theirs: readonly number[], ours = PROTOCOLS_UNDERSTOOD): number | undefined => {
    const common = ours.filter((protocol) => theirs.includes(protocol));
    return common.length === 0 ? undefined : Math.max(...common);
};

/** -1, 0 or 1 as `a` is older than, equal to or newer than `b`. */
export const compareVersions = (a: string, b: string): number => {
    const [left, right] = [a, b].map((version) => version.split(/[.-]/, 3).map(Number));
    for (let part = 0; part < 3; part++) {
        const difference = (left?.[part] ?? 0) - (right?.[part] ?? 0);
        if (difference !== 0) return Math.sign(difference);
    }
    return 0;
};
