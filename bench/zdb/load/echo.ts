import { acceptFrom, closeSocket, listenOn, PinnedBytes, Poll, receive, sendAll } from "./sockets.ts";

/**
 * The least a server can do, to know what the generator can: answers every so many bytes with `+OK`, without looking at them.
 * `bun echo.ts <port> <bytes of a request>`
 */
const [port = 0, requestBytes = 0] = process.argv.slice(2).map(Number);
const MOST_ANSWERS = 1024;
const OK = "+OK\r\n";
const LISTENER = 0xffff_ffff;

const answers = new PinnedBytes(OK.length * MOST_ANSWERS);
answers.bytes.fill(OK);
const input = new PinnedBytes(1 << 18);
const poll = new Poll();
const listener = listenOn(port);
poll.add(listener, LISTENER);
const pending = new Map<number, number>();
process.stdout.write("ready\n");
for (;;) {
    const ready = poll.wait(1000);
    for (let place = 0; place < ready; place++) {
        const fd = poll.ready(place);
        if (fd === LISTENER) {
            const client = acceptFrom(listener);
            poll.add(client, client);
            continue;
        }
        const count = receive(fd, input.address, input.bytes.length);
        if (count === 0) {
            closeSocket(fd);
            pending.delete(fd);
            continue;
        }
        const bytes = (pending.get(fd) ?? 0) + count;
        const complete = Math.floor(bytes / requestBytes);
        pending.set(fd, bytes - complete * requestBytes);
        sendAll(fd, answers.address, OK.length * complete);
    }
}
