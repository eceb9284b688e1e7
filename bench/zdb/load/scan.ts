import { Answers } from "./answers.ts";
import { connectTo, PinnedBytes, receive, sendAll } from "./sockets.ts";

/**
 * Counts the keys of a namespace by SCAN, looking at no more of an answer than where its parts end; asks for the next step as soon as it has
 * the cursor. `bun scan.ts <port> <namespace> <zdb|redis>`; prints keys and milliseconds.
 */
const [portText = "", namespace = "", make = ""] = process.argv.slice(2);
/** Keys a step, where the client says how many. */
const REDIS_COUNT = 8192;

const fd = connectTo(Number(portText));
const request = new PinnedBytes(512);
const answers = new Answers(1 << 20);

function send(...parts: readonly string[]): void {
    const text = `*${parts.length}\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join("")}`;
    sendAll(fd, request.address, request.bytes.write(text, 0, "latin1"));
}

function next(): Exclude<ReturnType<Answers["next"]>, "none"> {
    for (;;) {
        const answer = answers.next();
        if (answer !== "none") return answer;
        const count = receive(fd, answers.address, answers.room);
        if (count === 0) throw new Error("the server closed the connection");
        answers.arrived(count);
    }
}

const text = (): string => answers.memory.bytes.toString("latin1", answers.at, answers.at + answers.length);

function scanFrom(cursor: string): void {
    if (make === "redis") send("SCAN", cursor, "COUNT", String(REDIS_COUNT));
    else if (cursor === "") send("SCAN");
    else send("SCAN", cursor);
}

if (namespace !== "") {
    send("SELECT", namespace);
    if (next() !== "line") throw new Error(`SELECT ${namespace}: ${text()}`);
}
const startMs = performance.now();
let keys = 0;
scanFrom(make === "redis" ? "0" : "");
// Ours ends with an error, Redis with the cursor 0.
for (let isLast = false; !isLast; ) {
    if (next() !== "array") break;
    next();
    const cursor = text();
    isLast = make === "redis" && cursor === "0";
    if (!isLast) scanFrom(cursor);
    next();
    const count = answers.length;
    keys += count;
    // Each entry of ours is an array of key, size and time.
    const elements = make === "redis" ? count : count * 4;
    for (let element = 0; element < elements; element++) next();
}
process.stdout.write(JSON.stringify({ keys, ms: performance.now() - startMs }));
