import { appendFile, cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HostInfo, powerOff, powerOn } from "../../dev/hosts/index.ts";
import { mintSessionId } from "../../protocol/ids.ts";
import { PROTOCOL, VERSION } from "../../protocol/version.ts";
import { NodePool } from "../../provider/node/pool.ts";
import { reach } from "../../schema/on-node.ts";
import { AgentSession } from "./agent.ts";
import { run } from "./command.ts";
import { expectNothingLeft, host, type Machine, machineOf, sh, until } from "./hosts.ts";
import { OtherRelease } from "./other-release.ts";
import { type Program, Stack } from "./stack.ts";

interface Values {
    readonly machine: Machine;
    readonly size: string;
}

const program: Program<Values> = ({ zeroform }, { machine, size }) => {
    const node = new zeroform.Node("node", { ...machine, trash: "0s" });
    const disk = new zeroform.ZMount("disk", { node, size: "192MiB" });
    return { url: new zeroform.Zdb("events", { mount: disk, size, listen: machine.host }).url };
};

const UNCHANGED = { node: "same", disk: "same", events: "same" };
const AGENT_JS = new URL("../../dist/agent/agent.js", import.meta.url).pathname;

/** Clients that write as fast as they are answered, on connections that are never made again. */
class Load {
    readonly #clients: Redis[] = [];
    readonly #writing: Promise<void>[] = [];
    readonly #acknowledged = new Map<string, string>();
    readonly failures: string[] = [];
    #isOver = false;

    /** Keys begin with the name: what another load left says nothing of this one. */
    constructor(url: string, clients: number, name: string) {
        for (let number = 0; number < clients; number++) {
            const client = clientOf(url);
            client.on("error", (failure) => this.failures.push(failure.message));
            client.on("close", () => this.#isOver || this.failures.push("a connection was closed"));
            this.#clients.push(client);
            this.#writing.push(this.#write(client, `${name}-${number}`));
        }
    }

    get written(): number {
        return [...this.#acknowledged.values()].reduce((sum, value) => sum + Number(value), 0);
    }

    /** Goes on until so many more are written. */
    async more(count: number): Promise<void> {
        const goal = this.written + count;
        await until(async () => (this.failures.length > 0 || this.written >= goal ? true : undefined));
        expect(this.failures).toEqual([]);
    }

    async end(): Promise<ReadonlyMap<string, string>> {
        this.#isOver = true;
        await Promise.all(this.#writing);
        for (const client of this.#clients) client.disconnect();
        return this.#acknowledged;
    }

    /** For clients whose machine may be gone without a word: nobody would tell them that their answer never comes. */
    async giveUp(): Promise<ReadonlyMap<string, string>> {
        this.#isOver = true;
        for (const client of this.#clients) client.disconnect();
        await Promise.all(this.#writing);
        return this.#acknowledged;
    }

    async #write(client: Redis, key: string): Promise<void> {
        try {
            for (let value = 1; !this.#isOver; value++) {
                await client.set(key, `${value}`);
                this.#acknowledged.set(key, `${value}`);
            }
        } catch (failure) {
            this.failures.push(String(failure));
        }
    }
}

const clientOf = (url: string) => new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });

const read = async (url: string, keys: Iterable<string>): Promise<ReadonlyMap<string, string | null>> => {
    const client = clientOf(url);
    client.on("error", () => undefined);
    try {
        return new Map(await Promise.all([...keys].map(async (key) => [key, await client.get(key)] as const)));
    } finally {
        client.disconnect();
    }
};

describe("an agent and a package of different releases", () => {
    let old: OtherRelease;
    beforeAll(async () => {
        old = await OtherRelease.ofProtocolBefore();
    });
    afterAll(() => old?.[Symbol.asyncDispose]());

    it("work together in both directions; `up` alone upgrades, nothing downgrades, and clients of a Zdb notice nothing", async () => {
        const on = await host();
        await using stack = await Stack.create();
        const machine = machineOf(on);
        await stack.useModules(old.modules);
        await stack.program(program, { machine, size: "24MiB" });
        await stack.up();
        const url = await stack.revealed<string>("url");
        const load = new Load(url, 4, "meanwhile");
        const running = async () => {
            await using session = new AgentSession(on);
            const { welcome, awaitingRestart } = await session.status();
            return { version: welcome.agentVersion, protocol: welcome.protocol, awaitingRestart: awaitingRestart.length };
        };
        await load.more(50);

        // Of this release, with an agent of the one before: looked at, spoken with, not touched.
        await stack.useModules(MODULES);
        const before = { version: old.version, protocol: PROTOCOL - 1, awaitingRestart: 0 };
        expect(await running()).toEqual(before);
        await stack.refresh();
        expect(await stack.plan()).toEqual({ ...UNCHANGED, node: "update" });
        const tenants = await run(stack, "tenants", on.address, "--identity-file", on.identityFile, "--host-key", on.hostKey);
        expect(tenants).toMatchObject({
            code: 1,
            stderr: expect.stringMatching(/agent is older.*Run pulumi up, which upgrades the agent/),
        });
        expect(await running()).toEqual(before);

        const { output } = await stack.up();
        expect(output).toMatch(/agentVersion/);
        expect(await running()).toEqual({ version: VERSION, protocol: PROTOCOL, awaitingRestart: 1 });
        await load.more(50);
        expect(await stack.plan()).toEqual(UNCHANGED);

        // The other way round: a colleague's older package changes things through the newer agent.
        await stack.useModules(old.modules);
        await stack.refresh();
        await stack.program(program, { machine, size: "32MiB" });
        await stack.up();
        expect(await running()).toEqual({ version: VERSION, protocol: PROTOCOL, awaitingRestart: 1 });
        await load.more(50);
        const acknowledged = await load.end();
        expect(load.failures).toEqual([]);
        expect(await read(url, acknowledged.keys())).toEqual(acknowledged);

        // The engine's new program comes with its next start.
        await sh(on, "systemctl restart 'zeroform-zdb@*.service'");
        await until(async () => ((await running()).awaitingRestart === 0 ? true : undefined));
        expect(await until(() => read(url, acknowledged.keys()).catch(() => undefined))).toEqual(acknowledged);
        await stack.useModules(MODULES);
        await stack.up();
        expect(await stack.plan()).toEqual(UNCHANGED);
        await stack.destroy();
        await expectNothingLeft(on);
    });

    it("leave the old agent or the new one running wherever an upgrade is cut off, and every write that was acknowledged", async () => {
        const on = await host();
        const directory = await mkdtemp(join(tmpdir(), "zeroform-upgrade-"));
        try {
            await using stack = await Stack.create();
            await stack.useModules(old.modules);
            await stack.program(program, { machine: machineOf(on), size: "24MiB" });
            await stack.up();
            const url = await stack.revealed<string>("url");
            for (const [number, [moment, cut]] of cuts.entries()) {
                const agentBundle = join(directory, `agent-${number}.js`);
                await cp(AGENT_JS, agentBundle);
                await appendFile(agentBundle, `\n// build ${number}\n`);
                const load = new Load(url, 2, `build-${number}`);
                await load.more(20);
                await cutOff(on, agentBundle, moment, cut);
                await using session = new AgentSession(on);
                // One whose start was under way may go and come once more.
                const { welcome } = await until(() => session.status().catch(() => undefined));
                expect(welcome.store).toBe("ok");
                // The first upgrade is from the older release, whose store the new agent migrates at its start.
                expect(number === 0 ? [old.version, VERSION] : [VERSION]).toContain(welcome.agentVersion);
                const upgraded = await linked(on, agentBundle, (link) => link.welcome);
                const after = await until(() => session.status().catch(() => undefined));
                expect(after.welcome.agentHash).toBe(upgraded.agentHash);
                if (cut === killInstaller) await load.more(20);
                await expectKept(url, await load.giveUp());
            }
            await stack.useModules(MODULES);
            await stack.refresh();
            await stack.destroy();
            await expectNothingLeft(on);
        } finally {
            await rm(directory, { recursive: true, force: true });
        }
    });
});

/** A write that was under way when the power went may be there without its answer. */
const expectKept = async (url: string, acknowledged: ReadonlyMap<string, string>): Promise<void> => {
    const found = await until(() => read(url, acknowledged.keys()).catch(() => undefined));
    for (const [key, value] of acknowledged) expect(Number(found.get(key)), key).toBeGreaterThanOrEqual(Number(value));
};

const MODULES = new URL("../../node_modules", import.meta.url).pathname;

const killInstaller = (on: HostInfo) => sh(on, "pkill -9 -f '[a]gent.js install' || true");
const cutPower = async (on: HostInfo) => {
    await powerOff(on.name);
    await powerOn(on.name);
};
/** What the installation says it does, and what ends it then. */
const cuts: readonly (readonly [RegExp, (on: HostInfo) => Promise<unknown>])[] = [
    [/^waiting for the agent/, cutPower],
    [/^preparing/, cutPower],
    [/^installing the agent/, killInstaller],
    [/^switching to this agent/, cutPower],
    [/^switching to this agent/, killInstaller],
    [/^writing units/, cutPower],
    [/^starting the agent/, killInstaller],
    [/^starting the agent/, cutPower],
];

const linked = async <T>(
    on: HostInfo,
    agentBundle: string,
    use: (link: Awaited<ReturnType<NodePool["link"]>>) => T,
    onProgress: (doing: string) => void = () => undefined,
): Promise<T> => {
    const pool = new NodePool({ session: mintSessionId(), agentBundle });
    try {
        const signal = AbortSignal.timeout(60_000);
        return use(await pool.link(reach.parse(machineOf(on)), { agent: "current", signal, onProgress }));
    } finally {
        await pool.end();
    }
};

/** Begins an upgrade, ends it at a moment, and does not go on with it. */
const cutOff = async (on: HostInfo, agentBundle: string, moment: RegExp, cut: (on: HostInfo) => Promise<unknown>): Promise<void> => {
    const reached = Promise.withResolvers<void>();
    const pool = new NodePool({ session: mintSessionId(), agentBundle });
    const giveUp = new AbortController();
    const upgrade = pool.link(reach.parse(machineOf(on)), {
        agent: "current",
        signal: giveUp.signal,
        onProgress: (doing) => moment.test(doing) && reached.resolve(),
    });
    upgrade.then(
        () => reached.resolve(),
        () => undefined,
    );
    await reached.promise;
    giveUp.abort();
    await Promise.all([cut(on), upgrade.catch(() => undefined)]);
    await pool.end();
};
