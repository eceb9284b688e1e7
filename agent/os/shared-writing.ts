/** What becomes of a file's text; undefined: it is left as it is, there or not. */
export type Change = (text: string | undefined) => string | undefined;

interface Writing {
    readonly changes: Change[];
    readonly done: Promise<void>;
}

/** Writings that have not begun, by path. */
const waiting = new Map<string, Writing>();

/**
 * Changes a file by `write`, which reads it and replaces it in turn: all who ask while another writing of the same file is under way share
 * one, so that many changes cost few flushes of the disk. Fails for all of them when it fails.
 */
export const changeTogether = (path: string, change: Change, write: (change: Change) => Promise<void>): Promise<void> => {
    const joined = waiting.get(path);
    if (joined) {
        joined.changes.push(change);
        return joined.done;
    }
    const changes = [change];
    const done = write((text) => {
        // Whoever comes from here on comes too late for this one.
        waiting.delete(path);
        return changes.reduce<string | undefined>((now, each) => each(now) ?? now, text);
    }).finally(() => {
        if (waiting.get(path)?.changes === changes) waiting.delete(path);
    });
    waiting.set(path, { changes, done });
    return done;
};
