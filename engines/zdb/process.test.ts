import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { Random } from "../../test/faults/random.ts";
import { eventually } from "../../test/zdb/eventually.ts";
import { encodeRequest, error, ok, RespClient } from "../../test/zdb/resp-client.ts";
import { connect } from "../../test/zdb/running-server.ts";
import { startProcess } from "../../test/zdb/server-process.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";

const directories = (directory: string): string[] => ["--data", path.join(directory, "data"), "--index", path.join(directory, "index")];

describe("the process", () => {
    test("ends with 0 on SIGTERM and SIGINT, everything on disk", async () => {
        const directory = temporaryDirectory();
        const socket = path.join(directory, "s");
        for (const [place, signal] of (["SIGTERM", "SIGINT"] as const).entries()) {
            const server = await startProcess([...directories(directory), "--socket", socket]);
            const client = await connect({ path: socket });
            expect(await client.call("SET", `k${place}`, "v")).toBe(`k${place}`);
            expect(await client.call("DBSIZE")).toBe(place + 1);
            expect(await server.kill(signal)).toBe(0);
            expect(server.lines).toEqual(["ready", `${signal}, stopping`, "stopped"]);
        }
    });

    test("says what is wrong in one sentence and ends with 1", async () => {
        const directory = temporaryDirectory();
        const socket = path.join(directory, "s");
        await startProcess([...directories(directory), "--socket", socket]);
        await expect(startProcess([...directories(directory), "--socket", `${socket}2`])).rejects.toThrow(
            `the server ended (1) before it was ready: zdb: another server uses ${directory}/data: stop it or give another --data`,
        );
        await expect(startProcess(["--bogus"])).rejects.toThrow("the server ended (1) before it was ready: zdb: unknown option --bogus");
    });

    test("takes its directory over from one that was killed, whatever is left of it", async () => {
        const directory = temporaryDirectory();
        const argv = [...directories(directory), "--socket", path.join(directory, "s"), "--admin-socket", path.join(directory, "a")];
        const first = await startProcess(argv);
        expect(await first.kill("SIGKILL")).toBe("SIGKILL");
        await startProcess(argv);
        expect(await (await connect({ path: path.join(directory, "a") })).call("PING")).toEqual({ status: "PONG" });
    });
});

describe("namespaces that come and go under load", () => {
    test("harm nobody else", async () => {
        const directory = temporaryDirectory();
        const socket = path.join(directory, "s");
        await startProcess([...directories(directory), "--socket", socket]);
        const admin = await connect({ path: socket });
        const written = new Map<string, string>();
        let isRunning = true;
        const steady = async (): Promise<void> => {
            const client = await connect({ path: socket });
            for (let round = 0; isRunning; round++) {
                const [key, value] = [`key-${round % 300}`, `${round}-${"v".repeat(round % 900)}`];
                expect(await client.call("SET", key, value)).toBe(key);
                written.set(key, value);
            }
        };
        const visitor = async (): Promise<void> => {
            while (isRunning) {
                const client = await connect({ path: socket });
                await client.call("SELECT", "brief");
                client.send(Buffer.concat(Array.from({ length: 50 }, (_, place) => encodeRequest(["SET", `${place}`, "x".repeat(3000)]))));
                await client.replies(50).catch(() => undefined);
                client.close();
            }
        };
        const clients = [steady(), visitor(), visitor(), visitor()];
        for (let round = 0; round < 60; round++) {
            expect(await admin.call("NSNEW", "brief")).toEqual(ok);
            await new Promise((resolve) => setTimeout(resolve, 10));
            expect(await admin.call("NSDEL", "brief")).toEqual(ok);
        }
        isRunning = false;
        await Promise.all(clients);
        for (const [key, value] of written) {
            const found = await admin.call("GET", key);
            // Visitors who came between two namespaces wrote into default, under keys of their own.
            expect(found).toBe(value);
        }
        expect(await admin.call("NSLIST")).toEqual(["default"]);
    });
});

describe("kill -9 under load", () => {
    /** `npm run faults:zdb` has 70 of each durability. */
    const ROUNDS = Number(process.env.ZEROFORM_KILL_ROUNDS ?? 4);
    /** So that a value tells in which life of the server it was written. */
    const ROUNDS_OF_A_WRITER = 1_000_000;
    const random = new Random(Number(process.env.ZEROFORM_SEED ?? 1));

    /** One client that writes as fast as it is answered and remembers what it was promised. */
    async function writer(socket: string, name: string, promised: Map<string, string>, pipeline: number, first: number): Promise<void> {
        const client = await RespClient.connect({ path: socket });
        try {
            await client.call("SELECT", "load");
            for (let round = first; ; round++) {
                const batch = Array.from(
                    { length: pipeline },
                    (_, place) =>
                        [`${name}-${(round * pipeline + place) % 700}`, `${name}:${round}:${place}:${"x".repeat(place * 40)}`] as const,
                );
                client.send(Buffer.concat(batch.map(([key, value]) => encodeRequest(["SET", key, value]))));
                for (const [key, value] of batch) {
                    if ((await client.reply()) === key) promised.set(key, value);
                }
            }
        } catch {
            // The server was killed: what was promised is what counts.
        } finally {
            client.close();
        }
    }

    test.each(["none", "interval 1s", "commit"])(
        `durability %s: every acknowledged write is there, or a later one of its key (${ROUNDS} rounds)`,
        { timeout: 30_000 + ROUNDS * 20_000 },
        async (durability) => {
            const directory = temporaryDirectory();
            const socket = path.join(directory, "s");
            const argv = [...directories(directory), "--socket", socket];
            let server = await startProcess(argv);
            const setUp = await connect({ path: socket });
            expect(await setUp.call("NSNEW", "load")).toEqual(ok);
            expect(await setUp.call("NSSET", "load", "durability", durability)).toEqual(ok);

            const promised = new Map<string, string>();
            for (let round = 0; round < ROUNDS; round++) {
                const writers = [1, 2, 3, 4].map((number) =>
                    writer(socket, `w${number}`, promised, number * number, round * ROUNDS_OF_A_WRITER),
                );
                await new Promise((resolve) => setTimeout(resolve, random.whole(150, 350)));
                await server.kill("SIGKILL");
                await Promise.all(writers);
                server = await startProcess(argv);
                const client = await connect({ path: socket });
                await client.call("SELECT", "load");
                for (const [key, value] of promised) {
                    const found = await client.call("GET", key);
                    if (found !== value)
                        expect(
                            isLater(String(found), value),
                            `${key}: promised ${value.slice(0, 12)}, found ${String(found).slice(0, 12)}`,
                        ).toBe(true);
                }
                expect(server.lines.join()).not.toContain("read-only");
            }
            // How many there are is the speed of the machine.
            expect(promised.size).toBeGreaterThan(0);
        },
    );

    /** A write that was sent but not acknowledged may be there too. */
    function isLater(found: string, promised: string): boolean {
        const [name, round] = found.split(":");
        const [promisedName, promisedRound] = promised.split(":");
        return name === promisedName && Number(round) > Number(promisedRound);
    }
});

/** In a mount namespace of the server's own: nothing is left when it ends. */
const ownMounts = ["unshare", process.getuid?.() === 0 ? "--mount" : "--map-root-user", "--mount"];

describe("a full file system", () => {
    test("refuses writes, keeps serving reads, lets deletions through, and loses nothing", async () => {
        const directory = temporaryDirectory();
        const mount = path.join(directory, "small");
        const socket = path.join(directory, "s");
        fs.mkdirSync(mount);
        const mounted = [...ownMounts, "sh", "-c", `mount -t tmpfs -o size=24m tmpfs ${mount} && exec "$@"`, "sh"];
        const server = await startProcess(
            ["--data", path.join(mount, "data"), "--index", path.join(mount, "index"), "--socket", socket],
            mounted,
        );
        const client = await connect({ path: socket });
        await client.call("NSNEW", "other");

        const written: string[] = [];
        let refusal: unknown;
        for (let place = 0; place < 400 && !refusal; place++) {
            const key = `key-${place}`;
            const reply = await client.call("SET", key, Buffer.alloc(100_000, key));
            if (reply === key) written.push(key);
            else refusal = reply;
        }
        expect(refusal).toEqual(error("Cannot write data right now: the disk is full"));
        // How many fit is what the server keeps back of the file system, and how far it was with its next segment.
        const deleted = written.filter((_, place) => place % 2 === 0);
        expect(deleted.length).toBeGreaterThan(0);
        for (const key of written) expect(await client.call("GET", key)).toBe(Buffer.alloc(100_000, key).toString());
        expect(await client.call("PING")).toEqual({ status: "PONG" });
        expect(await client.call("NSSET", "other", "maxsize", "5")).toEqual(ok);
        for (const key of deleted) expect(await client.call("DEL", key)).toEqual(ok);
        expect(await client.call("DBSIZE")).toBe(written.length - deleted.length);
        expect(await client.call("NSINFO", "default")).toContain("state: ok\n");
        expect(await server.kill("SIGTERM")).toBe(0);
    });

    test("a namespace that was removed makes room for the others", async () => {
        const directory = temporaryDirectory();
        const mount = path.join(directory, "small");
        const socket = path.join(directory, "s");
        fs.mkdirSync(mount);
        const mounted = [...ownMounts, "sh", "-c", `mount -t tmpfs -o size=20m tmpfs ${mount} && exec "$@"`, "sh"];
        await startProcess(["--data", path.join(mount, "data"), "--index", path.join(mount, "index"), "--socket", socket], mounted);
        const client = await connect({ path: socket });
        await client.call("NSNEW", "large");
        await client.call("SELECT", "large");
        for (let place = 0, reply: unknown = "k0"; reply === `k${place}`; ) {
            place++;
            reply = await client.call("SET", `k${place}`, Buffer.alloc(500_000, String(place)));
        }
        await client.call("SELECT", "default");
        expect(await client.call("NSDEL", "large")).toEqual(ok);
        await eventually(async () => expect(await client.call("SET", "k", Buffer.alloc(5_000_000))).toBe("k"));
    });
});
