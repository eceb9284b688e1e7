import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { exec } from "../../dev/hosts/index.ts";
import { VERSION } from "../../protocol/version.ts";
import { probe } from "../../provider/node/agent-channel.ts";
import { bootstrap } from "../../provider/node/bootstrap.ts";
import { dial } from "../../provider/node/dial.ts";
import { Release } from "../../provider/node/release.ts";
import { resolveTarget } from "../../provider/node/target.ts";
import { prefixOf } from "../prefix.ts";
import { failure, Transport, want } from "./transport-host.ts";
import { unwatchedWork } from "./unwatched-work.ts";

describe("bootstrap", () => {
    const on = new Transport(prefixOf("nboot"));

    it("from two processes at once is done by one of them", async () => {
        const script = fileURLToPath(new URL("./link-once.ts", import.meta.url));
        const once = async () =>
            (await promisify(execFile)(process.execPath, [script, on.bundle, JSON.stringify(on.reach())])).stdout.trim().split("\n");
        const both = await Promise.all([once(), once()]);
        const [first, second] = both.map((lines) => lines.at(-1));
        expect(first).toMatch(/^[0-9a-f]{64}$/);
        expect(second).toBe(first);
        expect(both.filter((lines) => lines.some((line) => line.startsWith("uploading")))).toHaveLength(1);
        expect(both.flat().some((line) => line.startsWith("waiting for another bootstrap"))).toBe(true);
    });

    it("repairs a runtime that is damaged", async () => {
        const damaged = await exec(on.host, [
            "sh",
            "-c",
            // A program that runs cannot be written to.
            "systemctl stop zeroform-agent.service && for f in /var/lib/zeroform/runtimes/*/bun; do echo x > $f || exit; done",
        ]);
        expect(damaged.code).toBe(0);
        expect((await on.pool().link(on.reach(), want())).welcome.agentVersion).toBe(VERSION);
    });
});

describe("bootstrap on a small disk", () => {
    const on = new Transport(prefixOf("nsmall"), 100 * 1024 ** 2);

    it("refuses a disk without room, and names a disk that fills up on the way", async () => {
        const given = on.reach();
        const refused = await failure(on.pool().link(given, want()));
        expect(refused).toMatchObject({ code: "DISK_FULL", retryable: false });
        expect(refused.sentence()).toMatch(/has \d+ MiB free for \/var\/lib\/zeroform, and the agent needs \d+ MiB/);
        const signal = AbortSignal.timeout(60_000);
        const connection = await dial(resolveTarget(given), undefined, signal);
        const report = { ...(await probe(connection, { tryWriting: true, signal })), freeBytes: undefined };
        const work = unwatchedWork(signal);
        expect((await failure(bootstrap(connection, report, new Release({ agentBundle: on.bundle }), work))).sentence()).toMatch(
            /ran out of disk space while uploading the runtime/,
        );
        await connection.end();
        const left = await exec(on.host, ["find", "/var/lib/zeroform", "(", "-name", ".upload*", "-o", "-name", ".part.*", ")"]);
        expect(left.stdout).toBe("");
    });
});
