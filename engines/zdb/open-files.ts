import { MAX_OPEN_SEGMENTS } from "./limits.ts";

/** Bounds the segment files all logs of a server hold open for reading: the one opened first is closed first. */
export class OpenFiles {
    private readonly closers: (() => void)[] = [];
    private readonly most: number;

    constructor(most = MAX_OPEN_SEGMENTS) {
        this.most = most;
    }

    /** Counts a file just opened. `close` must do nothing when the file is closed already. */
    opened(close: () => void): void {
        this.closers.push(close);
        if (this.closers.length > this.most) this.closers.shift()?.();
    }
}
