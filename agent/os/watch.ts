import { mkdirSync, openSync, readFileSync, watch } from "node:fs";
import { basename } from "node:path";
import { MOUNTS, RUN } from "../../protocol/layout.ts";
import { parseMountinfo } from "./mountinfo.ts";

/** Touched by every service of ours when it has stopped, however it stopped (its template's ExecStopPost). */
export const STOPPED_MARK = `${RUN}/stopped`;

/** How long a lost mount may go unnoticed. Asking the kernel costs a few microseconds. */
const POLL_MS = 500;

/** Calls back soon after a mount of ours went away or turned read-only, or a service of ours stopped. Answers how to stop watching. */
export const watchUnits = (onChange: () => void): (() => void) => {
    const stopMounts = watchMounts(onChange);
    mkdirSync(RUN, { recursive: true, mode: 0o700 });
    const watcher = watch(RUN, (_, name) => {
        if (name === basename(STOPPED_MARK)) onChange();
    });
    return () => {
        stopMounts();
        watcher.close();
    };
};

const watchMounts = (onChange: () => void): (() => void) => {
    let before = ourMounts();
    let changed: (() => boolean) | undefined;
    let stopped = false;
    void mountsChanged().then((asking) => {
        if (!stopped) changed = asking;
    });
    const timer = setInterval(() => {
        if (changed?.() !== true) return;
        const now = ourMounts();
        const lost = [...before].some((mount) => !now.has(mount));
        before = now;
        if (lost) onChange();
    }, POLL_MS);
    return () => {
        stopped = true;
        clearInterval(timer);
    };
};

/** Our mounts, each with what tells one life of it from the next. */
const ourMounts = (): ReadonlySet<string> =>
    new Set(
        parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8"))
            .filter(({ target }) => target.startsWith(`${MOUNTS}/`))
            .map(({ target, device, readOnly }) => `${target} ${device} ${readOnly}`),
    );

const POLLPRI = 0x2;
const POLLERR = 0x8;

/** Whether any mount has changed since this was last asked: poll(2) on /proc/self/mountinfo tells, without reading it. */
const mountsChanged = async (): Promise<() => boolean> => {
    const { dlopen, ptr } = await import("bun:ffi");
    const libc = dlopen("libc.so.6", { poll: { args: ["ptr", "u64", "i32"], returns: "i32" } });
    // struct pollfd: int fd; short events; short revents.
    const pollfd = new DataView(new ArrayBuffer(8));
    pollfd.setInt32(0, openSync("/proc/self/mountinfo", "r"), true);
    pollfd.setInt16(4, POLLPRI, true);
    const address = ptr(pollfd);
    return () => libc.symbols.poll(address, 1, 0) > 0 && (pollfd.getInt16(6, true) & (POLLPRI | POLLERR)) !== 0;
};
