/** A loop device that is attached to a file. */
export interface Loop {
    /** `/dev/loop3` */
    readonly device: string;
    /** Device number as `major:minor`. */
    readonly number: string;
    readonly bytes: number;
    /** Path of the backing file as the kernel shows it. */
    readonly backingFile: string;
    /** Whether the kernel passes discards on, which give reserved space away. */
    readonly discards: boolean;
}

/** Block devices over files. */
export interface Loops {
    /** The loop of a device number such as `7:3`; undefined when that is none, or is attached to nothing. */
    byNumber(number: string): Promise<Loop | undefined>;
    /** The loops on a file, found by its device and inode, whatever name it was attached by. */
    ofFile(path: string): Promise<readonly Loop[]>;
    /** Makes a loop as large as its file has become. */
    adoptSize(loop: Loop): Promise<void>;
    /** Keeps holes from being punched into the backing file. */
    keepReserved(loop: Loop): Promise<void>;
    detach(loop: Loop): Promise<void>;
}
