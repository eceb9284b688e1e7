import { dlopen, ptr, read } from "bun:ffi";

/**
 * Sockets by system calls, without an event loop between them and the generator: one `send` a request and one `recv` an answer is the least
 * that a client can do, so that what is measured is the server.
 */
const libc = dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    listen: { args: ["i32", "i32"], returns: "i32" },
    accept: { args: ["i32", "ptr", "ptr"], returns: "i32" },
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    epoll_create1: { args: ["i32"], returns: "i32" },
    epoll_ctl: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
    epoll_pwait2: { args: ["i32", "ptr", "i32", "ptr", "ptr"], returns: "i32" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
    send: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
    close: { args: ["i32"], returns: "i32" },
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    __errno_location: { args: [], returns: "ptr" },
}).symbols;

const AF_INET = 2;
const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
const MSG_NOSIGNAL = 0x4000;
const EINTR = 4;
const ECONNRESET = 104;
const PR_SET_TIMERSLACK = 29;
const BACKLOG = 511;
/** The kernel's `struct epoll_event` is packed on x86-64 only. */
const EVENT_BYTES = process.arch === "x64" ? 12 : 16;
const EVENT_DATA = EVENT_BYTES - 8;
const MOST_EVENTS = 128;

/** Memory that the kernel may be given the address of: it is not moved, and kept while this object is. */
export class PinnedBytes {
    readonly bytes: Buffer<ArrayBuffer>;
    readonly address: number;

    constructor(length: number) {
        this.bytes = Buffer.from(new ArrayBuffer(length));
        this.address = Number(ptr(this.bytes));
    }
}

export function connectTo(port: number): number {
    const fd = check("socket", libc.socket(AF_INET, SOCK_STREAM, 0));
    const address = loopback(port);
    check(`connect to port ${port}`, libc.connect(fd, address.address, address.bytes.length));
    noDelay(fd);
    return fd;
}

export function listenOn(port: number): number {
    const fd = check("socket", libc.socket(AF_INET, SOCK_STREAM, 0));
    const address = loopback(port);
    check(`bind port ${port}`, libc.bind(fd, address.address, address.bytes.length));
    check("listen", libc.listen(fd, BACKLOG));
    return fd;
}

export function acceptFrom(listener: number): number {
    const fd = check("accept", libc.accept(listener, null, null));
    noDelay(fd);
    return fd;
}

/** Sends all of it, waiting while the kernel has no room. */
export function sendAll(fd: number, address: number, length: number): void {
    for (let done = 0; done < length; ) done += check("send", libc.send(fd, address + done, length - done, MSG_NOSIGNAL));
}

/** Bytes received; 0 when the other side has gone. Waits when there are none. */
export function receive(fd: number, address: number, length: number): number {
    const count = libc.recv(fd, address, length, 0);
    return count < 0 && errno() === ECONNRESET ? 0 : check("recv", count);
}

export const closeSocket = (fd: number): void => void libc.close(fd);

/** Waits for what can be read. */
export class Poll {
    private readonly fd = check("epoll_create1", libc.epoll_create1(0));
    private readonly events = new PinnedBytes(MOST_EVENTS * EVENT_BYTES);
    private readonly timeout = new PinnedBytes(16);
    private readonly seconds = new BigInt64Array(this.timeout.bytes.buffer);

    constructor() {
        // The kernel may otherwise wake us 50 us late.
        libc.prctl(PR_SET_TIMERSLACK, 1n, 0n, 0n, 0n);
    }

    add(fd: number, number: number): void {
        const event = new PinnedBytes(EVENT_BYTES);
        event.bytes.writeUInt32LE(EPOLLIN, 0);
        event.bytes.writeUInt32LE(number, EVENT_DATA);
        check("epoll_ctl", libc.epoll_ctl(this.fd, EPOLL_CTL_ADD, fd, event.address));
    }

    /** How many are ready, after at most so long. */
    wait(ms: number): number {
        const nanoseconds = Math.max(0, Math.floor(ms * 1e6));
        this.seconds[0] = BigInt(Math.floor(nanoseconds / 1e9));
        this.seconds[1] = BigInt(nanoseconds % 1e9);
        const count = libc.epoll_pwait2(this.fd, this.events.address, MOST_EVENTS, this.timeout.address, null);
        return count < 0 && errno() === EINTR ? 0 : check("epoll_pwait2", count);
    }

    /** The number given to `add` of one that is ready. */
    ready(place: number): number {
        return this.events.bytes.readUInt32LE(place * EVENT_BYTES + EVENT_DATA);
    }
}

function noDelay(fd: number): void {
    const one = new PinnedBytes(4);
    one.bytes.writeInt32LE(1, 0);
    check("setsockopt", libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, one.address, 4));
}

/** `struct sockaddr_in` of 127.0.0.1. */
function loopback(port: number): PinnedBytes {
    const address = new PinnedBytes(16);
    address.bytes.writeUInt16LE(AF_INET, 0);
    address.bytes.writeUInt16BE(port, 2);
    address.bytes.set([127, 0, 0, 1], 4);
    return address;
}

function check(what: string, result: number): number {
    if (result < 0) throw new Error(`${what} failed with errno ${errno()}`);
    return result;
}

function errno(): number {
    const place = libc.__errno_location();
    return place === null ? 0 : read.i32(place);
}
