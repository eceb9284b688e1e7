import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { startFrontEnd } from "../../test/zstor/front-end.ts";
import { PASSWORD, startZdb } from "../../test/zstor/zdb-servers.ts";

const SECRET = "a secret that nobody else knows";
const NAMESPACES = ["data0", "data1", "data2", "meta"];

test("over real servers: commands, the loss of a server, and recovery on an empty front end", async () => {
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
    expect(JSON.parse((await front.run(["status"])).out.toString())).toMatchObject({ objects: 2, owed: 0, warnings: [] });
    const metrics = (await front.run(["metrics"])).out.toString();
    expect(metrics).toContain('zstor_operations_total{operation="put"} 2');
    expect(metrics).toContain('zstor_operation_bytes_total{operation="get"} 9300000');
    expect(metrics).toMatch(/^zstor_backend_requests_total\{backend="2",request="set"\} [1-9]/m);
    expect(await front.run(["get", "absent"])).toMatchObject({ code: 1, error: "zstor: there is no object absent\n" });

    // Killed in the middle of nothing it acknowledged, with a server gone for good, and found again from secret and one url.
    await front.kill("SIGKILL");
    await servers[0]?.process.kill("SIGKILL");
    const empty = join(root, "empty");
    mkdirSync(empty);
    const again = await startFrontEnd(empty, { secret: SECRET, metadata: [metadata[1]] });
    expect((await again.run(["get", "dir/large"])).out.equals(large)).toBe(true);
    expect((await again.run(["get", "dir/small"])).out.toString()).toBe("from standard input");
    expect(await again.run(["put", "after"], Buffer.from("the loss"))).toMatchObject({ code: 0 });
    expect(JSON.parse((await again.run(["status"])).out.toString())).toMatchObject({ spare: { 0: 5 } });
    expect(await again.kill("SIGTERM")).toBe(0);
    for (const secret of [SECRET, PASSWORD, encodeURIComponent(PASSWORD)])
        for (const place of [join(empty, "view"), join(root, "zdb1/data/meta/d0")])
            expect(readFileSync(place).includes(secret)).toBe(false);
});
