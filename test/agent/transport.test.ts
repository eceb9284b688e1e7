import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as path } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { cut, down, exec, type HostInfo, join, powerOff, powerOn, reinstall, up } from "../../dev/hosts/index.ts";
import type { ZeroformError } from "../../protocol/errors.ts";
import { mintSessionId } from "../../protocol/ids.ts";
import { probe } from "../../provider/node/agent-channel.ts";
import { bootstrap } from "../../provider/node/bootstrap.ts";
import { dial } from "../../provider/node/dial.ts";
import { fingerprint } from "../../provider/node/known-hosts.ts";
import { type LinkOptions, NodePool, type PoolOptions } from "../../provider/node/pool.ts";
import { Release } from "../../provider/node/release.ts";
import { resolveTarget } from "../../provider/node/target.ts";
import { type Reach, reach } from "../../schema/on-node.ts";
import { bundleFakeAgent } from "./fake-bundle.ts";
import { SlowRelay } from "./slow-relay.ts";

const PREFIX = "zfn";
const SMALL = "zfnsmall";
const MIB = 1024 ** 2;
let directory: string;
let host: HostInfo;
/** The agent of most tests, and another content of the same version. */
let [bundle, otherBundle] = ["", ""];

beforeAll(async () => {
    directory = await mkdtemp(path(tmpdir(), "zfn-"));
    await Promise.all([down({ prefix: PREFIX }), down({ prefix: SMALL })]);
    [bundle, otherBundle] = await Promise.all([bundleFakeAgent(directory), bundleFakeAgent(directory, { build: 2 })]);
    host = await freshHost();
});
afterAll(async () => {
    await Promise.all([down({ prefix: PREFIX }), down({ prefix: SMALL })]);
    await rm(directory, { recursive: true, force: true });
});

const freshHost = async (prefix = PREFIX, diskBytes = 2048 * MIB): Promise<HostInfo> => {
    const [made] = await up({ prefix, count: 1, diskBytes });
    if (made === undefined) throw new Error("no host");
    await quietShell(made);
    return made;
};

/** The hosts have the home of this machine's root; what its shell does at each start is not to be measured. */
const quietShell = async (on: HostInfo) => void (await exec(on, ["rm", "-f", "/root/.bashrc"]));

const pools: NodePool[] = [];
afterEach(async () => {
    await Promise.all(pools.splice(0).map((pool) => pool.end()));
});
const newPool = (options: PoolOptions = {}): NodePool => {
    const pool = new NodePool({ session: mintSessionId(), agentBundle: bundle, ...options });
    pools.push(pool);
    return pool;
};
const to = (given: Partial<Reach> = {}): Reach =>
    reach.parse({ host: host.address, user: "root", identityFile: host.identityFile, ...given });
const want = (agent: LinkOptions["agent"] = "current", limitMs = 60_000): LinkOptions => ({ agent, signal: AbortSignal.timeout(limitMs) });
const failure = (link: Promise<unknown>): Promise<ZeroformError> =>
    link.then(
        () => expect.unreachable("it linked"),
        (error: ZeroformError) => error,
    );
const timed = async <T>(work: () => Promise<T>): Promise<[number, T]> => {
    const start = performance.now();
    const result = await work();
    return [performance.now() - start, result];
};

describe("a fresh machine", () => {
    it("has no agent for those who install none", async () => {
        expect(await failure(newPool().link(to(), want("present")))).toMatchObject({
            code: "AGENT_MISSING",
            retryable: false,
            node: host.address,
        });
    });

    it("gets an agent within 10 s, the runtime's compression included, and its key is known then", async () => {
        const said: string[] = [];
        const pool = newPool({ env: { ...process.env, XDG_CACHE_HOME: path(directory, "cache") } });
        const [ms, link] = await timed(() => pool.link(to(), { ...want(), onProgress: (doing) => said.push(doing) }));
        expect(link.hostKey).toBe(host.hostKey);
        expect(await link.request("trash.list", {})).toEqual([]);
        for (const words of [/^connecting to /, /^uploading runtime \d+ of \d+ MiB$/, /^installing the agent/, /^writing units/])
            expect(
                said.some((line) => words.test(line)),
                String(words),
            ).toBe(true);
        expect(ms).toBeLessThan(10_000);
        console.log(`first contact: ${Math.round(ms)} ms`);
    });
});

describe("a warm link", () => {
    it("costs two round trips and 150 ms at most beyond the SSH handshake", async () => {
        const beyond = async (oneWayMs: number, times: number): Promise<number> => {
            await using relay = await SlowRelay.to(host.address, host.port, oneWayMs);
            const given = to({ host: "127.0.0.1", port: relay.port, hostKey: host.hostKey });
            const samples: number[] = [];
            for (let sample = 0; sample < times; sample++) {
                const [handshake, connection] = await timed(() => dial(resolveTarget(given), undefined, AbortSignal.timeout(30_000)));
                await connection.end();
                const pool = newPool();
                const [link] = await timed(() => pool.link(given, want()));
                await pool.end();
                samples.push(link - handshake);
            }
            // The least disturbed one: what is measured is what it costs, not what else runs here.
            return Math.min(...samples);
        };
        const near = await beyond(0, 7);
        const roundTripMs = 400;
        const far = await beyond(roundTripMs / 2, 2);
        console.log(`warm link beyond the handshake: ${Math.round(near)} ms; at ${roundTripMs} ms round trip: ${Math.round(far)} ms`);
        expect(near).toBeLessThan(150);
        expect(Math.round((far - near) / roundTripMs)).toBeLessThanOrEqual(2);
    });

    it("is one connection for all who ask at the same time, with or without the key that it meets", async () => {
        await using relay = await SlowRelay.to(host.address, host.port, 20);
        const given = to({ host: "127.0.0.1", port: relay.port });
        const pool = newPool();
        const pinned = { ...given, hostKey: host.hostKey };
        const links = await Promise.all(
            [given, given, pinned, given, pinned].flatMap((each) => [pool.link(each, want()), pool.link(each, want("present"))]),
        );
        expect(new Set(links).size).toBe(1);
        expect(relay.connections).toBe(1);
    });

    it("is left alone when one of several goes away", async () => {
        await using relay = await SlowRelay.to(host.address, host.port, 20);
        const given = to({ host: "127.0.0.1", port: relay.port });
        const pool = newPool();
        const cancel = new AbortController();
        const [gone, stays] = [failure(pool.link(given, { agent: "present", signal: cancel.signal })), pool.link(given, want("present"))];
        cancel.abort();
        expect(await gone).toMatchObject({ code: "CANCELLED" });
        expect((await stays).welcome.agentVersion).toBe("0.1.0");
        expect(relay.connections).toBe(1);
    });
});

describe("a user", () => {
    it("with sudo is as good as root, also when the login shell is talkative", async () => {
        await exec(host, ["sh", "-c", "echo 'echo welcome to this machine; echo zeroform-rpc >&2' > /home/dev/.bashrc"]);
        const link = await newPool().link(to({ user: "dev" }), want());
        expect(await link.request("trash.list", {})).toEqual([]);
    });

    it("without it is told so in one sentence", async () => {
        const refused = await failure(newPool().link(to({ user: "guest" }), want()));
        expect(refused).toMatchObject({ code: "NO_ROOT", retryable: false });
        expect(refused.sentence()).toMatch(/guest on .* is not root and cannot become root by sudo without a password.*sudoers/);
        expect((await failure(newPool().link(to({ user: "dev", sudo: false }), want()))).sentence()).toMatch(
            /dev on .* is not root and sudo is false/,
        );
    });

    it("whose shell runs nothing is told so", async () => {
        await exec(host, ["usermod", "-s", "/usr/sbin/nologin", "guest"]);
        expect(await failure(newPool().link(to({ user: "guest" }), want()))).toMatchObject({ retryable: false });
        await exec(host, ["usermod", "-s", "/bin/bash", "guest"]);
    });
});

describe("an agent", () => {
    it("that was killed is waited for", async () => {
        const pool = newPool();
        const before = await pool.link(to(), want("present"));
        await exec(host, ["systemctl", "kill", "-s", "KILL", "zeroform-agent.service"]);
        await before.closed;
        const after = await pool.link(to(), want("present"));
        expect(after).not.toBe(before);
        expect(await after.request("trash.list", {})).toEqual([]);
    });

    it("that is stopped is an error with its state for those who install none, and is started by those who do", async () => {
        await exec(host, ["systemctl", "stop", "zeroform-agent.service"]);
        const silent = await failure(newPool().link(to(), want("present", 4_000)));
        expect(["AGENT_BROKEN", "TIMEOUT"]).toContain(silent.code);
        expect((await newPool().link(to(), want())).welcome.agentVersion).toBe("0.1.0");
    });

    it("of other content is replaced by creating and updating only, while those who talk to it are told", async () => {
        const pool = newPool({ agentBundle: otherBundle });
        const before = await pool.link(to(), want("present"));
        const pending = failure(before.request("reconciler.sweep", {}));
        const after = await pool.link(to(), want());
        expect(after.welcome.agentHash).not.toBe(before.welcome.agentHash);
        expect(await pending).toMatchObject({ code: "SSH_LOST", retryable: true });
        expect(await pool.link(to(), want("present"))).toBe(after);
    });

    it("of another version than asked for is refused", async () => {
        const refused = await failure(newPool().link(to(), { ...want(), version: "7.0.0" }));
        expect(refused).toMatchObject({ code: "INVALID" });
        expect(refused.sentence()).toMatch(/agentVersion asks for 7\.0\.0 .* where 0\.1\.0 runs/);
    });

    it("that cannot be installed says why in its own words", async () => {
        const broken = await bundleFakeAgent(directory, { manners: "does not install" });
        const refused = await failure(newPool({ agentBundle: broken }).link(to(), want()));
        expect(refused).toMatchObject({ code: "AGENT_BROKEN" });
        expect(refused.message).toContain("the fake agent was told not to install");
    });

    it("that is newer is used as it is, unless it is not understood", async () => {
        const [newer, foreign] = await Promise.all([
            bundleFakeAgent(directory, { version: "9.9.9" }),
            bundleFakeAgent(directory, { version: "9.9.9", protocols: [99] }),
        ]);
        const installed = await newPool({ agentBundle: newer }).link(to(), want());
        expect((await newPool().link(to(), want())).welcome).toEqual(installed.welcome);
        await exec(host, ["systemctl", "stop", "zeroform-agent.service"]);
        expect(await failure(newPool({ agentBundle: foreign }).link(to(), want()))).toMatchObject({ code: "AGENT_NEWER" });
        expect(await failure(newPool().link(to(), want("present")))).toMatchObject({ code: "AGENT_NEWER" });
        await exec(host, ["systemctl", "stop", "zeroform-agent.service"]);
    });
});

describe("a machine that goes away", () => {
    it("by power-off loses its links at once, and is waited for", async () => {
        const pool = newPool();
        const link = await pool.link(to(), want());
        await powerOff(host);
        await link.closed;
        const late = await failure(pool.link(to(), want("present", 3_000)));
        expect(late).toMatchObject({ retryable: true });
        expect(["SSH_TIMEOUT", "SSH_REFUSED"]).toContain(late.code);
        const said: string[] = [];
        const again = pool.link(to(), { ...want("present"), onProgress: (doing) => said.push(doing) });
        await expect.poll(() => said.some((line) => line.startsWith("waiting for SSH on")), { timeout: 20_000 }).toBe(true);
        await powerOn(host);
        expect(await (await again).request("trash.list", {})).toEqual([]);
    });

    it("behind a pulled cable loses what waits for it once the keepalives are missed, and nothing when the cable is back before", async () => {
        const pool = newPool();
        const link = await pool.link(to(), want());
        await cut(host);
        const short = failure(link.request("trash.list", {}, { signal: AbortSignal.timeout(500) }));
        expect(await short).toBeInstanceOf(Error);
        const answered = link.request("trash.list", {});
        await join(host);
        expect(await answered).toEqual([]);
        await cut(host);
        const [ms, lost] = await timed(() => failure(link.request("reconciler.sweep", {})));
        expect(lost).toMatchObject({ code: "SSH_LOST", retryable: true });
        expect(ms).toBeLessThan(80_000);
        await join(host);
        expect(await (await pool.link(to(), want())).request("trash.list", {})).toEqual([]);
    });

    it("and comes back as another one is refused, by its pinned key, by known_hosts and by what this process has seen", async () => {
        const pool = newPool();
        const link = await pool.link(to(), want());
        const old = host.hostKey;
        host = await reinstall(host);
        await quietShell(host);
        await link.closed;
        for (const given of [to(), to({ hostKey: old })]) {
            const refused = await failure(pool.link(given, want()));
            expect(refused).toMatchObject({ code: "SSH_HOST_KEY", retryable: false });
            for (const words of [fingerprint(old), fingerprint(host.hostKey), host.hostKey]) expect(refused.sentence()).toContain(words);
        }
        expect((await newPool().link(to({ hostKey: host.hostKey }), want())).hostKey).toBe(host.hostKey);
    });
});

describe("bootstrap", () => {
    it("from two processes at once is done by one of them", async () => {
        host = await reinstall(host);
        await quietShell(host);
        const script = fileURLToPath(new URL("./link-once.ts", import.meta.url));
        const once = async () =>
            (await promisify(execFile)(process.execPath, [script, bundle, JSON.stringify(to())])).stdout.trim().split("\n");
        const both = await Promise.all([once(), once()]);
        const [first, second] = both.map((lines) => lines.at(-1));
        expect(first).toMatch(/^[0-9a-f]{64}$/);
        expect(second).toBe(first);
        expect(both.filter((lines) => lines.some((line) => line.startsWith("uploading")))).toHaveLength(1);
        expect(both.flat().some((line) => line.startsWith("waiting for another bootstrap"))).toBe(true);
    });

    it("repairs a runtime that is damaged", async () => {
        await exec(host, [
            "sh",
            "-c",
            "for f in /var/lib/zeroform/runtimes/*/bun; do echo x > $f; done; systemctl stop zeroform-agent.service",
        ]);
        expect((await newPool().link(to(), want())).welcome.agentVersion).toBe("0.1.0");
    });

    it("refuses a machine where it may not write or execute, before anything is uploaded", async () => {
        await exec(host, ["sh", "-c", "systemctl stop zeroform-agent.service; mount -o remount,noexec /var/lib/zeroform"]);
        expect((await failure(newPool().link(to(), want()))).sentence()).toMatch(/forbids to execute files in \/var\/lib\/zeroform/);
        await exec(host, ["mount", "-o", "remount,exec,ro", "/var/lib/zeroform"]);
        expect((await failure(newPool().link(to(), want()))).sentence()).toMatch(/cannot write to \/var\/lib\/zeroform/);
        await exec(host, ["mount", "-o", "remount,rw", "/var/lib/zeroform"]);
        await exec(host, [
            "sh",
            "-c",
            "mount --bind /etc/systemd/system /etc/systemd/system && mount -o remount,bind,ro /etc/systemd/system",
        ]);
        expect((await failure(newPool().link(to(), want()))).sentence()).toMatch(/read-only \/etc\/systemd\/system/);
        await exec(host, ["umount", "/etc/systemd/system"]);
        expect((await newPool().link(to(), want())).welcome.agentVersion).toBe("0.1.0");
    });

    it("refuses a disk without room, and names a disk that fills up on the way", async () => {
        const small = await freshHost(SMALL, 100 * MIB);
        const given = to({ host: small.address, identityFile: small.identityFile });
        const refused = await failure(newPool().link(given, want()));
        expect(refused).toMatchObject({ code: "DISK_FULL", retryable: false });
        expect(refused.sentence()).toMatch(/has \d+ MiB free for \/var\/lib\/zeroform, and the agent needs \d+ MiB/);
        const signal = AbortSignal.timeout(60_000);
        const connection = await dial(resolveTarget(given), undefined, signal);
        const report = { ...(await probe(connection, { tryWriting: true, signal })), freeBytes: undefined };
        const work = { signal, progress: () => undefined, hindered: () => undefined };
        expect((await failure(bootstrap(connection, report, new Release({ agentBundle: bundle }), work))).sentence()).toMatch(
            /ran out of disk space while uploading the runtime/,
        );
        await connection.end();
        const left = await exec(small, ["find", "/var/lib/zeroform", "-name", ".upload.*"]);
        expect(left.stdout).toBe("");
    });
});
