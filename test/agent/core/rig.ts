import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { run } from "../../../dev/hosts/command.ts";
import { down, exec, type HostInfo, sshArguments, up } from "../../../dev/hosts/index.ts";
import type { Method, NodeReport, Params, ResourceReport, Result } from "../../../protocol/api.ts";
import { type ClientChannel, openClientChannel } from "../../../protocol/channel.ts";
import { formatNodeId, formatResourceId, type MachineId, mintSessionId, type SessionId, type TenantId } from "../../../protocol/ids.ts";
import { AGENTS, LAUNCHER, RPC_MARKER, RUNTIMES } from "../../../protocol/layout.ts";
import { skipNoise } from "../../../provider/node/after-noise.ts";
import { BUN, placeBun } from "../in-host.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** A test host with the real agent on it, spoken with over the host's real sshd. */
export class AgentRig {
    readonly host: HostInfo;
    readonly bundle: string;
    #channels: Channel[] = [];

    private constructor(host: HostInfo, bundle: string) {
        this.host = host;
        this.bundle = bundle;
    }

    /** A fresh host without an agent. */
    static async start(prefix: string): Promise<AgentRig> {
        await down({ prefix });
        const [host] = await up({ prefix, count: 1 });
        if (host === undefined) throw new Error("no host came up");
        return new AgentRig(host, await bundled("real"));
    }

    async stop(): Promise<void> {
        this.hangUp();
        await down({ prefix: this.#prefix });
    }

    /** Closes every channel, as a provider that ends does. */
    hangUp(): void {
        for (const channel of this.#channels) channel.end();
        this.#channels = [];
    }

    /** Runs a script on the host; throws when it fails. */
    async sh(script: string, input = ""): Promise<string> {
        const { code, stdout, stderr } = await exec(this.host, ["sh", "-ec", script], { input, timeoutMs: 120_000 });
        if (code !== 0) throw new Error(`${script}: status ${code}: ${stderr || stdout}`);
        return stdout.trim();
    }

    /** Puts a bundle on the host as bootstrap does and installs it. Answers its content hash. */
    async install(bundle = this.bundle): Promise<string> {
        const hash = createHash("sha256").update(bundle).digest("hex");
        const directory = `${AGENTS}/${hash}`;
        await this.sh(`mkdir -p ${directory} ${RUNTIMES}/test; cat > ${directory}/agent.js`, bundle);
        await this.sh(`[ -x ${RUNTIMES}/test/bun ] || cp ${await placeBun(this.host)} ${RUNTIMES}/test/bun`);
        const launcher = `#!/bin/sh\n# zeroform-agent 0.1.0\nexec ${RUNTIMES}/test/bun ${directory}/agent.js "$@"\n`;
        await this.sh(`cat > ${directory}/zeroform-agent; chmod 755 ${directory}/zeroform-agent`, launcher);
        await this.sh(`${directory}/zeroform-agent install`);
        return hash;
    }

    /** A channel of a session; a new one when none is given, none for an observer. */
    async channel(session: SessionId | "observer" = mintSessionId()): Promise<Channel> {
        const words = session === "observer" ? [] : ["--session", session];
        const child = spawn("ssh", [...sshArguments(this.#prefix), `root@${this.host.name}`, LAUNCHER, "rpc", ...words], {
            stdio: ["pipe", "pipe", "inherit"],
        });
        await skipNoise(child.stdout, [RPC_MARKER]);
        const client = openClientChannel(child.stdout, child.stdin);
        child.stdout.resume();
        const { machine } = await client.welcome;
        const channel = new Channel(client, child, machine);
        this.#channels.push(channel);
        return channel;
    }

    get #prefix(): string {
        return this.host.name.slice(0, this.host.name.lastIndexOf("-"));
    }
}

/** One session's end of a channel, with what every call of it carries. */
export class Channel {
    readonly client: ClientChannel;
    readonly machine: MachineId;
    readonly #child: ChildProcess;
    tenant = "" as TenantId;

    constructor(client: ClientChannel, child: ChildProcess, machine: MachineId) {
        this.client = client;
        this.#child = child;
        this.machine = machine;
    }

    ask<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
        return this.client.request(method, params);
    }

    get caller() {
        return { machine: this.machine, tenant: this.tenant, seen: [] };
    }

    async node(name = "alpha"): Promise<NodeReport> {
        const urn = `urn:pulumi:dev::test::pulumi-nodejs:dynamic/zeroform:Node::${name}`;
        const report = await this.ask("node.create", { urn, name, settings, operation: mintSessionId(), seen: [] });
        this.tenant = report.tenant;
        return report;
    }

    create(kind: "ZMount" | "Zdb", name: string, spec: Readonly<Record<string, unknown>>): Promise<ResourceReport> {
        return this.ask("resource.create", {
            caller: this.caller,
            kind,
            urn: urnOf(kind, name),
            name,
            operation: mintSessionId(),
            spec: { node: formatNodeId(this.machine, this.tenant), ...spec },
            waitMs: 60_000,
            trashMs: 86_400_000,
            settings,
        });
    }

    idOf({ life }: ResourceReport): string {
        return formatResourceId(this.machine, this.tenant, life);
    }

    remove({ life }: Pick<ResourceReport, "life">, trashMs = 0): Promise<unknown> {
        return this.ask("resource.delete", { caller: this.caller, life, onRemove: "delete", trashMs, waitMs: 60_000 });
    }

    read({ life }: Pick<ResourceReport, "life">): Promise<Result<"resource.read">> {
        return this.ask("resource.read", { caller: this.caller, life, digests: {} });
    }

    end(): void {
        this.client.close();
        this.#child.kill("SIGKILL");
    }
}

const settings = { installPackages: true };

export const urnOf = (kind: string, name: string) => `urn:pulumi:dev::test::pulumi-nodejs:dynamic/zeroform:${kind}::${name}`;

/** The agent as one file; another `mark` makes another content hash. */
export const bundled = async (mark: string): Promise<string> => {
    const directory = await mkdtemp(`${tmpdir()}/zfa-`);
    try {
        const out = `${directory}/agent.js`;
        const { code, stderr } = await run(BUN, ["build", `${ROOT}agent/main.ts`, "--target=bun", "--outfile", out]);
        if (code !== 0) throw new Error(stderr);
        return `${await readFile(out, "utf8")}\n// ${mark}\n`;
    } finally {
        await rm(directory, { recursive: true, force: true });
    }
};
