import { cpuSeconds } from "../process-cost.ts";
import { Answers } from "./answers.ts";
import type { LoadJob, LoadResult } from "./job.ts";
import { Latencies } from "./latencies.ts";
import { randomNumbers } from "./random.ts";
import { isValueOf, Requests } from "./requests.ts";
import { connectTo, PinnedBytes, Poll, receive, sendAll } from "./sockets.ts";

const ANSWER_BYTES = 256 * 1024;
/** How long to wait for what is overdue before it is an error. */
const SILENCE_MS = 60_000;

interface Client {
    readonly fd: number;
    readonly requests: Requests;
    readonly answers: Answers;
    /** Sent and not answered, of `sent`. */
    open: number;
    sent: number;
    /** Elements still to come of the answer that is arriving. */
    elements: number;
    /** When the requests should have been sent. */
    dueMs: number;
}

/**
 * Loads a server from one thread. Requests fall due at times that do not depend on answers; one that finds every client waiting is sent
 * late, and its time counts from when it was due. Without a rate, the next request of a client falls due with its answer.
 */
export class Generator {
    private readonly job: LoadJob;
    private readonly random: () => number;
    private readonly poll = new Poll();
    private readonly clients: Client[] = [];
    private readonly free: Client[] = [];
    private readonly latencies = new Latencies();
    private nextStamp: number;
    private nextKey = 0;
    private nextDueMs = 0;
    private counted = { requests: 0, nils: 0, misses: 0, errors: 0, firstError: "" };

    constructor(job: LoadJob) {
        this.job = job;
        this.random = randomNumbers(job.seed);
        // Two runs with different seeds never set the same value.
        this.nextStamp = (job.seed % 1000) * 1e9;
        const filler = Buffer.alloc(job.valueBytes);
        for (let at = 0; at < filler.length; at++) filler[at] = 33 + Math.floor(this.random() * 90);
        for (let number = 0; number < job.clients; number++) {
            const fd = connectTo(job.port);
            const requests = new Requests(job, filler);
            this.enter(fd);
            const client = { fd, requests, answers: new Answers(ANSWER_BYTES), open: 0, sent: 0, elements: 0, dueMs: 0 };
            this.clients.push(client);
            this.free.push(client);
            this.poll.add(fd, number);
        }
    }

    private enter(fd: number): void {
        const { namespace } = this.job;
        if (namespace === "") return;
        const request = new PinnedBytes(256);
        const length = request.bytes.write(`*2\r\n$6\r\nSELECT\r\n$${namespace.length}\r\n${namespace}\r\n`);
        sendAll(fd, request.address, length);
        const answer = request.bytes.subarray(0, receive(fd, request.address, request.bytes.length)).toString();
        if (answer !== "+OK\r\n") throw new Error(`SELECT ${namespace}: ${answer}`);
    }

    run(): LoadResult {
        const { warmUpSeconds, seconds } = this.job;
        const startMs = performance.now();
        this.nextDueMs = startMs;
        if (warmUpSeconds > 0) this.runUntil(startMs + warmUpSeconds * 1000);
        this.counted = { requests: 0, nils: 0, misses: 0, errors: 0, firstError: "" };
        this.latencies.clear();

        const beginMs = performance.now();
        const serverBefore = cpuSeconds(this.job.serverPid);
        const ownBefore = process.cpuUsage();
        this.runUntil(this.job.isFill ? Number.POSITIVE_INFINITY : beginMs + seconds * 1000);
        const elapsed = (performance.now() - beginMs) / 1000;
        const own = process.cpuUsage(ownBefore);
        return {
            ...this.counted,
            ...this.latencies.summary(),
            seconds: elapsed,
            ownCpuShare: (own.user + own.system) / 1e6 / elapsed,
            serverCpuSeconds: cpuSeconds(this.job.serverPid) - serverBefore,
        };
    }

    private runUntil(endMs: number): void {
        for (;;) {
            const nowMs = performance.now();
            if (nowMs >= endMs) return;
            this.sendDue(nowMs);
            if (this.job.isFill && this.nextKey >= this.job.keys && this.free.length === this.clients.length) return;
            const ready = this.poll.wait(this.waitMs(nowMs, endMs));
            if (ready === 0 && performance.now() - nowMs > SILENCE_MS) throw new Error("the server does not answer");
            for (let place = 0; place < ready; place++) {
                const client = this.clients[this.poll.ready(place)];
                if (client) this.take(client);
            }
        }
    }

    private waitMs(nowMs: number, endMs: number): number {
        const untilEnd = Math.min(endMs - nowMs, SILENCE_MS + 1);
        const isPaced = this.job.ratePerSecond > 0 && this.free.length > 0;
        return isPaced ? Math.min(untilEnd, this.nextDueMs - nowMs) : untilEnd;
    }

    private sendDue(nowMs: number): void {
        const { ratePerSecond, isFill, keys } = this.job;
        while (this.free.length > 0 && (ratePerSecond === 0 || this.nextDueMs <= nowMs)) {
            if (isFill && this.nextKey >= keys) return;
            const client = this.free.shift();
            if (!client) return;
            this.send(client, ratePerSecond === 0 ? nowMs : this.nextDueMs);
            // Exponentially distributed, so that they come as independent clients' do.
            if (ratePerSecond > 0) this.nextDueMs -= (Math.log(1 - this.random()) * 1000) / ratePerSecond;
        }
    }

    private send(client: Client, dueMs: number): void {
        const { pipeline, isFill, keys } = this.job;
        const count = isFill ? Math.min(pipeline, keys - this.nextKey) : pipeline;
        for (let place = 0; place < count; place++) {
            const key = isFill ? this.nextKey++ : Math.floor(this.random() * keys);
            client.requests.prepare(place, key, this.nextStamp++);
        }
        client.dueMs = dueMs;
        client.sent = count;
        client.open = count;
        sendAll(client.fd, client.requests.memory.address, client.requests.length(count));
    }

    private take(client: Client): void {
        const { answers } = client;
        const count = receive(client.fd, answers.address, answers.room);
        if (count === 0) throw new Error("the server closed a connection");
        answers.arrived(count);
        for (let answer = answers.next(); answer !== "none"; answer = answers.next()) {
            if (answer === "array") {
                client.elements = answers.length;
                continue;
            }
            this.judge(client, answer);
            if (client.elements > 0 && --client.elements > 0) continue;
            client.open--;
            this.counted.requests++;
        }
        if (client.open > 0) return;
        const nowMs = performance.now();
        this.latencies.add(nowMs - client.dueMs);
        if (this.job.ratePerSecond > 0 || this.job.isFill) this.free.push(client);
        else this.send(client, nowMs);
    }

    private judge({ answers, requests, sent, open }: Client, answer: "nil" | "bulk" | "line" | "error"): void {
        if (answer === "nil") this.counted.nils++;
        if (answer === "error") {
            this.counted.errors++;
            this.counted.firstError ||= answers.memory.bytes.toString("latin1", answers.at, answers.at + answers.length);
        }
        if (this.job.command !== "GET") return;
        const { memory, at, length } = answers;
        if (
            answer !== "bulk" ||
            length !== this.job.valueBytes ||
            !isValueOf(memory.bytes, at, length, requests.asked[sent - open] ?? -1)
        ) {
            this.counted.misses++;
        }
    }
}
