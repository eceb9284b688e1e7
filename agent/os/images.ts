/** Image files: reserved space with a file system in it. */
export interface Images {
    /** Makes a new image of this size with an empty ext4 in it; it has its name only when it is complete. Never touches an existing one. */
    make(path: string, bytes: number, signal: AbortSignal): Promise<void>;
    /** Makes an image larger, and fills its holes, so that every byte of it is reserved. Never smaller. */
    reserve(path: string, bytes: number, signal: AbortSignal): Promise<void>;
    /** Bytes of the ext4 in an image or on a device; undefined when there is none. */
    fileSystemBytes(path: string): Promise<number | undefined>;
    /** Grows the mounted ext4 on a device to the size of the device. */
    growFileSystem(device: string, signal: AbortSignal): Promise<void>;
}
