/** What a path names, without following a link. */
export interface FileStat {
    readonly bytes: number;
    /** Bytes that its blocks take on the disk. */
    readonly reservedBytes: number;
    readonly directory: boolean;
    /** Together they tell a file from every other one on the machine. */
    readonly device: number;
    readonly inode: number;
}

/** The file system that holds a path. */
export interface FileSystem {
    /** Type as the kernel calls it: `ext4`, `xfs`, `tmpfs` ... */
    readonly type: string;
    readonly device: number;
    readonly totalBytes: number;
    /** Bytes that an ordinary file may still take. */
    readonly freeBytes: number;
}

/** Files and directories; what is written is on the disk when the promise is kept. */
export interface Files {
    /** undefined: not there. */
    stat(path: string): Promise<FileStat | undefined>;
    /** undefined: not there. */
    readText(path: string): Promise<string | undefined>;
    /** Names in a directory; none when it is not there. */
    list(directory: string): Promise<readonly string[]>;
    /** Replaces a file as a whole: readers and power cuts see the old text or the new one. */
    writeText(path: string, text: string, mode?: number): Promise<void>;
    makeDirectory(path: string, mode?: number): Promise<void>;
    /** Renames within one file system and makes the new name last. The target's directory is made when it is missing. */
    move(from: string, to: string): Promise<void>;
    /** A second name for the same file. */
    link(existing: string, name: string): Promise<void>;
    /** Removes a file, a link, or a directory with all that is in it. Absent is fine. */
    remove(path: string): Promise<void>;
    /** Bytes that a file, or a directory with all that is in it, takes on the disk. 0 when it is not there. */
    diskUsage(path: string): Promise<number>;
    /** The file system that holds a path, which must exist. */
    fileSystem(path: string): Promise<FileSystem>;
}
