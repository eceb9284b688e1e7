/** send(2) without waiting and without a signal: how many bytes the kernel took, less than 0 when none for whatever reason. */
export const sendNow: ((fd: number, bytes: Uint8Array) => number) | undefined =
    process.versions.bun === undefined ? undefined : bind(await import("bun:ffi"));

/** `MSG_DONTWAIT` and `MSG_NOSIGNAL` of Linux. */
const FLAGS = 0x40 | 0x4000;

function bind({ dlopen, ptr }: typeof import("bun:ffi")): (fd: number, bytes: Uint8Array) => number {
    const { symbols } = dlopen("libc.so.6", { send: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" } });
    return (fd, bytes) => symbols.send(fd, ptr(bytes), bytes.length, FLAGS);
}
