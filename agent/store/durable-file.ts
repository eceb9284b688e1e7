import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Replaces a small file as a whole, 0600: after a power cut it has the old content or the new one. Synchronous, because it happens inside the store's own steps. */
export const writeDurably = (path: string, content: string | Uint8Array): void => {
    const directory = dirname(path);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const temporary = `${path}.new`;
    rmSync(temporary, { force: true });
    writeFileSync(temporary, content, { mode: 0o600, flag: "wx", flush: true });
    renameSync(temporary, path);
    syncDirectory(directory);
};

/** Gives a file another name that survives a power cut. */
export const renameDurably = (from: string, to: string): void => {
    renameSync(from, to);
    syncDirectory(dirname(to));
};

const syncDirectory = (directory: string): void => {
    const handle = openSync(directory, "r");
    try {
        fsyncSync(handle);
    } finally {
        closeSync(handle);
    }
};
