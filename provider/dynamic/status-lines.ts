/** More often than this nobody reads a line, and the engine redraws for nothing. */
const EVERY_MS = 200;

/** Status lines, each replacing the one before on its resource: the first at once, then the latest in regular intervals. */
export const statusLines = (print: (urn: string, line: string) => void, everyMs = EVERY_MS) => {
    const waiting = new Map<string, { next: string | undefined; readonly timer: NodeJS.Timeout }>();

    const say = (urn: string, line: string): void => {
        if (urn === "") return;
        const entry = waiting.get(urn);
        if (entry) {
            entry.next = line;
            return;
        }
        print(urn, line);
        const timer = setTimeout(() => {
            const next = waiting.get(urn)?.next;
            waiting.delete(urn);
            if (next !== undefined) say(urn, next);
        }, everyMs);
        timer.unref();
        waiting.set(urn, { next: undefined, timer });
    };
    const close = () => {
        for (const { timer } of waiting.values()) clearTimeout(timer);
        waiting.clear();
    };
    return { say, close };
};
