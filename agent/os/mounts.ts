export interface Mount {
    readonly target: string;
    /** `ext4` ... */
    readonly type: string;
    /** Device number as `major:minor`. */
    readonly device: string;
    readonly readOnly: boolean;
}

/** What is mounted where. */
export interface Mounts {
    /** All mounts by their target; of several on one target the topmost. */
    list(): Promise<ReadonlyMap<string, Mount>>;
    /** Makes a directory into which nothing can be written while nothing is mounted on it. */
    preparePoint(path: string): Promise<void>;
    /** Removes the bare directory. Absent is fine. */
    removePoint(path: string): Promise<void>;
}
