/** Who uses what. */
export interface Processes {
    /** Processes with something open on a mounted file system, or that keep it mounted elsewhere: `postgres (pid 71)`; at most a handful. */
    using(mountPoint: string): Promise<readonly string[]>;
}
