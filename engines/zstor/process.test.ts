import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { runCommand, startFrontEnd } from "../../test/zstor/front-end.ts";
import { PASSWORD, startZdb } from "../../test/zstor/zdb-servers.ts";
import { ApiClient } from "./api-client.ts";
import { StoreError } from "./object-api.ts";

const SECRET = "a secret that nobody else knows";
/** Several programs start one after the other, on a machine that may have much else to do. */
const PATIENCE_MS = 300_000;
const NAMESPACES = ["data0", "data1", "data2", "meta"];

test("over real servers: commands, the loss of a server, and recovery on an empty front end", { timeout: PATIENCE_MS }, async () => {
    const root = temporaryDirectory();
    const servers = await Promise.all([0, 1, 2].map((index) => startZdb(join(root, `zdb${index}`), NAMESPACES)));
    const metadata = servers.map((server) => server.url("meta"));
    const backends = servers.flatMap((server, group) =>
        NAMESPACES.slice(0, 3).map((name) => ({ url: server.url(name), group: `g${group}`, disk: `${group} ${name}` })),
    );
    const directory = join(root, "front");
    mkdirSync(directory);
    const front = await startFrontEnd(directory, { secret: SECRET, metadata, backends, redundantGroups: 1 });
    expect(statSync(front.socket).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, "view")).mode & 0o077).toBe(0);

    const large = randomBytes(9_000_000);
    const file = join(root, "large");
    writeFileSync(file, large);
    expect(await front.run(["put", "dir/large", file])).toMatchObject({ code: 0 });
    expect(await front.run(["put", "dir/small"], Buffer.from("from standard input"))).toMatchObject({ code: 0 });
    expect((await front.run(["get", "dir/large"])).out.equals(large)).toBe(true);
    expect((await front.run(["range", "dir/large", "5000000", "300000"])).out.equals(large.subarray(5_000_000, 5_300_000))).toBe(true);
    expect((await front.run(["ls", "dir/"])).out.toString()).toBe("dir/large\ndir/small\n");
    expect(JSON.parse((await front.run(["check", "dir/large"])).out.toString())).toMatchObject({ spare: 2, faults: [] });
    expect(JSON.parse((await front.run(["explain"])).out.toString())).toMatchObject({ holds: true });
    // A round first: the replica that answered last when the store was opened is not known to have everything before.
    expect(JSON.parse((await front.run(["repair"])).out.toString())).toMatchObject({ objects: 2, owed: 0, warnings: [] });
    const metrics = (await front.run(["metrics"])).out.toString();
    expect(metrics).toContain('zstor_operations_total{operation="put"} 2');
    expect(metrics).toContain('zstor_operation_bytes_total{operation="get"} 9300000');
    expect(metrics).toMatch(/^zstor_backend_requests_total\{backend="2",request="set"\} [1-9]/m);
    expect(await front.run(["get", "absent"])).toMatchObject({ code: 1, error: "zstor: there is no object absent\n" });

    // A refusal is heard whatever is still being sent.
    const refused = await front.run(["put", "n".repeat(2000)], large);
    expect(refused).toMatchObject({ code: 1, error: "zstor: a name has 1 to 1024 bytes of UTF-8 without NUL, this one has 2000\n" });

    // Killed in the middle of nothing it acknowledged, with a server gone for good, and found again from secret and one url.
    await front.kill("SIGKILL");
    await servers[0]?.process.kill("SIGKILL");
    const empty = join(root, "empty");
    mkdirSync(empty);
    // What was recovered is a whole configuration, with which the front end goes on.
    const known = join(empty, "known.json");
    const recovered = join(empty, "recovered.json");
    const least = { secret: SECRET, socket: join(empty, "zstor.sock"), view: join(empty, "view"), metadata: [metadata[1]] };
    writeFileSync(known, JSON.stringify(least), { mode: 0o600 });
    const result = await runCommand(["recover", "--config", known, "--write", recovered]);
    expect(result).toMatchObject({ code: 0 });
    expect(JSON.parse(result.out.toString())).toMatchObject({ objects: 2, metadata: { replicas: 3 } });
    expect(statSync(recovered).mode & 0o777).toBe(0o600);
    const whole = JSON.parse(readFileSync(recovered, "utf8"));
    expect(whole).toMatchObject({ metadata, redundantGroups: 1 });
    expect(whole.backends).toHaveLength(backends.length);
    expect(await runCommand(["recover", "--config", known, "--write", recovered])).toMatchObject({ code: 1 });
    const again = await startFrontEnd(empty, whole);
    expect((await again.run(["status", "--words"])).out.toString()).toContain("2 objects of 9000019 bytes");
    expect((await again.run(["get", "dir/large"])).out.equals(large)).toBe(true);
    expect((await again.run(["get", "dir/small"])).out.toString()).toBe("from standard input");
    expect(await again.run(["put", "after"], Buffer.from("the loss"))).toMatchObject({ code: 0 });
    expect(JSON.parse((await again.run(["status"])).out.toString())).toMatchObject({ spare: { 0: 5 } });
    expect(await again.kill("SIGTERM")).toBe(0);
    for (const secret of [SECRET, PASSWORD, encodeURIComponent(PASSWORD)])
        for (const place of [join(empty, "view"), join(root, "zdb1/data/meta/d0")])
            expect(readFileSync(place).includes(secret)).toBe(false);
});

const ROUNDS = 2;
const ACKNOWLEDGED_BEFORE_KILL = 20;

test("whatever it was doing when it was killed, everything that it acknowledged is there", { timeout: PATIENCE_MS }, async () => {
    const root = temporaryDirectory();
    const names = ["d0", "d1", "d2", "d3", "d4", "d5", "m0", "m1", "m2"];
    const server = await startZdb(join(root, "zdb"), names);
    const metadata = names.slice(6).map((name) => server.url(name));
    const backends = names.slice(0, 6).map((name) => ({ url: server.url(name), group: name, disk: name }));
    const directory = join(root, "front");
    mkdirSync(directory);
    const acknowledged = new Map<string, Buffer>();
    for (let round = 0; round < ROUNDS; round++) {
        const front = await startFrontEnd(directory, { secret: SECRET, metadata, backends });
        let count = 0;
        let told: () => void = () => undefined;
        const enough = new Promise<void>((resolve) => {
            told = resolve;
        });
        const lane = async (index: number) => {
            const client = await ApiClient.open(front.socket);
            try {
                for (let serial = 0; ; serial++) {
                    const name = `${index}/${serial % 5}`;
                    const content = randomBytes(serial % 3 === 0 ? 400_000 : 3000);
                    // In flight it is neither the one nor the other.
                    acknowledged.delete(name);
                    await client.put(name, [content] as unknown as AsyncIterable<Uint8Array>);
                    acknowledged.set(name, content);
                    if (++count === ACKNOWLEDGED_BEFORE_KILL) told();
                }
            } catch (error) {
                expect(error).toBeInstanceOf(StoreError);
            }
        };
        const lanes = Promise.all([0, 1, 2, 3].map(lane));
        await enough;
        await front.kill("SIGKILL");
        await lanes;
        const again = await startFrontEnd(directory, { secret: SECRET, metadata, backends });
        const client = await ApiClient.open(again.socket);
        for (const [name, content] of acknowledged) {
            const parts: Buffer[] = [];
            for await (const part of client.get({ op: "get", name })) parts.push(Buffer.from(part));
            expect(Buffer.concat(parts).equals(content)).toBe(true);
        }
        client.close();
        expect(await again.kill("SIGTERM")).toBe(0);
    }
});
