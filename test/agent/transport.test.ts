import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join as path } from "node:path";
import { describe, expect, it } from "vitest";
import { cut, exec, join, powerOff, powerOn } from "../../dev/hosts/index.ts";
import { VERSION } from "../../protocol/version.ts";
import { dial } from "../../provider/node/dial.ts";
import { fingerprint } from "../../provider/node/known-hosts.ts";
import { resolveTarget } from "../../provider/node/target.ts";
import { prefixOf } from "../prefix.ts";
import { bundleFakeAgent } from "./fake-bundle.ts";
import { SlowRelay } from "./slow-relay.ts";
import { failure, leastDisturbed, Transport, timed, want } from "./transport-host.ts";

const on = new Transport(prefixOf("n"));

describe("a fresh machine", () => {
    it("has no agent for those who install none", async () => {
        expect(await failure(on.pool().link(on.reach(), want("present")))).toMatchObject({
            code: "AGENT_GONE",
            retryable: false,
            node: on.host.address,
        });
    });

    it("gets an agent within 10 s, the runtime's compression included, and its key is known then", async () => {
        const attempt = async (): Promise<number> => {
            const said: string[] = [];
            const pool = on.pool({ env: { ...process.env, XDG_CACHE_HOME: await mkdtemp(path(on.directory, "cache-")) } });
            const [ms, link] = await timed(() => pool.link(on.reach(), { ...want(), onProgress: (doing) => said.push(doing) }));
            expect(link.hostKey).toBe(on.host.hostKey);
            expect(await link.request("trash.list", {})).toEqual([]);
            for (const words of [/^connecting to /, /^uploading runtime \d+ of \d+ MiB$/, /^installing the agent/, /^writing units/])
                expect(
                    said.some((line) => words.test(line)),
                    String(words),
                ).toBe(true);
            return ms;
        };
        const best = await leastDisturbed(attempt, { goal: 10_000, attempts: 3, between: () => on.reinstall() });
        console.log(`first contact: ${Math.round(best)} ms`);
        expect(best).toBeLessThan(10_000);
    });
});

describe("a warm link", () => {
    it("costs two round trips and 150 ms at most beyond the SSH handshake", async () => {
        const beyond = async (oneWayMs: number, goal: number, attempts: number): Promise<number> => {
            await using relay = await SlowRelay.to(on.host.address, on.host.port, { oneWayMs });
            const given = on.reach({ host: "127.0.0.1", port: relay.port, hostKey: on.host.hostKey });
            const attempt = async (): Promise<number> => {
                const [handshake, connection] = await timed(() => dial(resolveTarget(given), undefined, AbortSignal.timeout(30_000)));
                await connection.end();
                const pool = on.pool();
                const [link] = await timed(() => pool.link(given, want()));
                await pool.end();
                return link - handshake;
            };
            return await leastDisturbed(attempt, { goal, attempts });
        };
        const near = await beyond(0, 100, 40);
        const roundTripMs = 400;
        const far = await beyond(roundTripMs / 2, 2.3 * roundTripMs, 8);
        console.log(`warm link beyond the handshake: ${Math.round(near)} ms; at ${roundTripMs} ms round trip: ${Math.round(far)} ms`);
        expect(near).toBeLessThan(150);
        expect(Math.round((far - near) / roundTripMs)).toBeLessThanOrEqual(2);
    });

    it("is one connection for all who ask at the same time, with or without the key that it meets", async () => {
        await using relay = await SlowRelay.to(on.host.address, on.host.port, { oneWayMs: 20 });
        const given = on.reach({ host: "127.0.0.1", port: relay.port });
        const pool = on.pool();
        const pinned = { ...given, hostKey: on.host.hostKey };
        const links = await Promise.all(
            [given, given, pinned, given, pinned].flatMap((each) => [pool.link(each, want()), pool.link(each, want("present"))]),
        );
        expect(new Set(links).size).toBe(1);
        expect(relay.connections).toBe(1);
    });

    it("is left alone when one of several goes away", async () => {
        await using relay = await SlowRelay.to(on.host.address, on.host.port, { oneWayMs: 20 });
        const given = on.reach({ host: "127.0.0.1", port: relay.port });
        const pool = on.pool();
        const cancel = new AbortController();
        const [gone, stays] = [failure(pool.link(given, { agent: "present", signal: cancel.signal })), pool.link(given, want("present"))];
        cancel.abort();
        expect(["CANCELLED", "SSH_TIMEOUT"]).toContain((await gone).code);
        expect((await stays).welcome.agentVersion).toBe(VERSION);
        expect(relay.connections).toBe(1);
    });
});

describe("a user", () => {
    it("with sudo is as good as root, also when the login shell is talkative", async () => {
        await exec(on.host, ["sh", "-c", "echo 'echo welcome to this machine; echo zeroform-rpc >&2' > /home/dev/.bashrc"]);
        const link = await on.pool().link(on.reach({ user: "dev" }), want());
        expect(await link.request("trash.list", {})).toEqual([]);
    });

    it("without it is told so in one sentence", async () => {
        const refused = await failure(on.pool().link(on.reach({ user: "guest" }), want()));
        expect(refused).toMatchObject({ code: "NO_ROOT", retryable: false });
        expect(refused.sentence()).toMatch(/guest on .* is not root and cannot become root by sudo without a password.*sudoers/);
        expect((await failure(on.pool().link(on.reach({ user: "dev", sudo: false }), want()))).sentence()).toMatch(
            /dev on .* is not root and sudo is false/,
        );
    });

    it("whose shell runs nothing is told so", async () => {
        await exec(on.host, ["usermod", "-s", "/usr/sbin/nologin", "guest"]);
        expect(await failure(on.pool().link(on.reach({ user: "guest" }), want()))).toMatchObject({ retryable: false });
        await exec(on.host, ["usermod", "-s", "/bin/bash", "guest"]);
    });
});

describe("an agent", () => {
    it("that was killed is waited for", async () => {
        const pool = on.pool();
        const before = await pool.link(on.reach(), want("present"));
        await exec(on.host, ["systemctl", "kill", "-s", "KILL", "zeroform-agent.service"]);
        await before.closed;
        const after = await pool.link(on.reach(), want("present"));
        expect(after).not.toBe(before);
        expect(await after.request("trash.list", {})).toEqual([]);
    });

    it("that is stopped is an error with its state for those who install none, and is started by those who do", async () => {
        await exec(on.host, ["systemctl", "stop", "zeroform-agent.service"]);
        const silent = await failure(on.pool().link(on.reach(), want("present", 4_000)));
        expect(["AGENT_BROKEN", "TIMEOUT"]).toContain(silent.code);
        expect((await on.pool().link(on.reach(), want())).welcome.agentVersion).toBe(VERSION);
    });

    it("of other content is replaced by creating and updating only, while those who talk to it are told", async () => {
        const pool = on.pool({ agentBundle: await bundleFakeAgent(on.directory, { build: 2 }) });
        const before = await pool.link(on.reach(), want("present"));
        const pending = failure(before.request("reconciler.sweep", {}));
        const after = await pool.link(on.reach(), want());
        expect(after.welcome.agentHash).not.toBe(before.welcome.agentHash);
        expect(await pending).toMatchObject({ code: "SSH_LOST", retryable: true });
        expect(await pool.link(on.reach(), want("present"))).toBe(after);
    });

    it("of another version than asked for is refused", async () => {
        const refused = await failure(on.pool().link(on.reach(), { ...want(), version: "7.0.0" }));
        expect(refused).toMatchObject({ code: "INVALID" });
        expect(refused.sentence()).toMatch(/agentVersion asks for 7\.0\.0 .* where \d+\.\d+\.\d+ runs/);
    });

    it("that cannot be installed says why in its own words", async () => {
        const broken = await bundleFakeAgent(on.directory, { manners: "does not install" });
        const refused = await failure(on.pool({ agentBundle: broken }).link(on.reach(), want()));
        expect(refused).toMatchObject({ code: "AGENT_BROKEN" });
        expect(refused.message).toContain("the fake agent was told not to install");
    });

    it("that is newer is used as it is, unless it is not understood", async () => {
        const [newer, foreign] = await Promise.all([
            bundleFakeAgent(on.directory, { version: "9.9.9" }),
            bundleFakeAgent(on.directory, { version: "9.9.9", protocols: [99] }),
        ]);
        const installed = await on.pool({ agentBundle: newer }).link(on.reach(), want());
        expect((await on.pool().link(on.reach(), want())).welcome).toEqual(installed.welcome);
        await exec(on.host, ["systemctl", "stop", "zeroform-agent.service"]);
        expect(await failure(on.pool({ agentBundle: foreign }).link(on.reach(), want()))).toMatchObject({ code: "AGENT_NEWER" });
        expect(await failure(on.pool().link(on.reach(), want("present")))).toMatchObject({ code: "AGENT_NEWER" });
        await exec(on.host, ["systemctl", "stop", "zeroform-agent.service"]);
    });
});

describe("a machine that goes away", () => {
    it("by power-off loses its links at once, and is waited for", async () => {
        const pool = on.pool();
        const link = await pool.link(on.reach(), want());
        await powerOff(on.host);
        await link.closed;
        const late = await failure(pool.link(on.reach(), want("present", 3_000)));
        expect(late).toMatchObject({ retryable: true });
        expect(["SSH_TIMEOUT", "SSH_REFUSED"]).toContain(late.code);
        const said: string[] = [];
        const again = pool.link(on.reach(), { ...want("present"), onProgress: (doing) => said.push(doing) });
        await expect.poll(() => said.some((line) => line.startsWith("waiting for SSH on")), { timeout: 20_000 }).toBe(true);
        await powerOn(on.host);
        expect(await (await again).request("trash.list", {})).toEqual([]);
    });

    it("behind a pulled cable loses what waits for it once the keepalives are missed, and nothing when the cable is back before", async () => {
        const pool = on.pool();
        const link = await pool.link(on.reach(), want());
        await cut(on.host);
        const short = failure(link.request("trash.list", {}, { signal: AbortSignal.timeout(500) }));
        expect(await short).toBeInstanceOf(Error);
        const answered = link.request("trash.list", {});
        await join(on.host);
        expect(await answered).toEqual([]);
        await cut(on.host);
        const [ms, lost] = await timed(() => failure(link.request("reconciler.sweep", {})));
        expect(lost).toMatchObject({ code: "SSH_LOST", retryable: true });
        expect(ms).toBeLessThan(80_000);
        await join(on.host);
        expect(await (await pool.link(on.reach(), want())).request("trash.list", {})).toEqual([]);
    });

    it("and comes back as another one is refused, by its pinned key, by known_hosts and by what this process has seen", async () => {
        const pool = on.pool();
        const link = await pool.link(on.reach(), want());
        const old = on.host.hostKey;
        await on.reinstall();
        await link.closed;
        const home = await mkdtemp(path(on.directory, "home-"));
        const knownHosts = path(home, ".ssh", "known_hosts");
        await mkdir(path(home, ".ssh"));
        await writeFile(knownHosts, `${on.host.address} ${old}\n`);
        const known = await failure(on.pool({ env: { HOME: home } }).link(on.reach(), want()));
        expect(known.sentence()).toContain(`ssh-keygen -R "${on.host.address}" -f "${knownHosts}"`);
        for (const given of [on.reach(), on.reach({ hostKey: old })]) {
            const refused = await failure(pool.link(given, want()));
            expect(refused).toMatchObject({ code: "SSH_HOST_KEY", retryable: false });
            for (const words of [fingerprint(old), fingerprint(on.host.hostKey), on.host.hostKey])
                expect(refused.sentence()).toContain(words);
        }
        expect((await on.pool().link(on.reach({ hostKey: on.host.hostKey }), want())).hostKey).toBe(on.host.hostKey);
    });
});
