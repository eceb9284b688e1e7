import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { Agent } from "../../../agent/agent.ts";
import { handlersFor } from "../../../agent/api/handlers.ts";
import { Custody, type Places } from "../../../agent/store/custody.ts";
import type { Fingerprint } from "../../../agent/store/machine-file.ts";
import type { Caller, Method, NodeReport, Params, ReadReport, ResourceReport, Result } from "../../../protocol/api.ts";
import type { ServerCall } from "../../../protocol/channel.ts";
import {
    formatNodeId,
    formatResourceId,
    type Life,
    type MachineId,
    mintSessionId,
    type SessionId,
    type TenantId,
} from "../../../protocol/ids.ts";
import { PROTOCOL } from "../../../protocol/version.ts";
import type { Kind } from "../../../schema/index.ts";
import { FakeNode } from "./fake-node.ts";
import { ManualClock, settle } from "./manual-clock.ts";

const DAY_MS = 86_400_000;

/** An agent on a fake node, with a real store in a directory of its own. */
export class Bench implements AsyncDisposable {
    readonly directory: string;
    readonly clock: ManualClock;
    readonly node: FakeNode;
    fingerprint: Fingerprint = { etcMachineId: "0".repeat(31).concat("1"), dmiUuid: "one" };
    agent: Agent;
    left = 0;

    /** `from`: what was left of another one. */
    constructor(from?: { readonly directory: string; readonly node: ReturnType<FakeNode["copy"]> }, fingerprint?: Fingerprint) {
        if (fingerprint) this.fingerprint = fingerprint;
        this.directory = mkdtempSync(`${tmpdir()}/zfa-unit-`);
        this.clock = new ManualClock();
        this.node = new FakeNode();
        if (from) {
            cpSync(from.directory, this.directory, { recursive: true });
            Object.assign(this.node, from.node);
        }
        this.agent = this.#boot();
    }

    get places(): Places {
        const { directory } = this;
        return {
            machineFile: `${directory}/machine.json`,
            storeFile: `${directory}/store.db`,
            keyFile: `${directory}/node.key`,
            data: [`${directory}/pool`, `${directory}/mounts`],
        };
    }

    get store() {
        return this.agent.core.store;
    }

    get machine(): MachineId {
        return this.agent.parts.custody.machine;
    }

    /** The agent dies and comes again; what it had in memory is gone, and so are its channels. */
    async restart(meanwhile?: () => unknown): Promise<void> {
        await this.agent.stop();
        await meanwhile?.();
        this.agent = this.#boot();
        await settle();
    }

    session(id?: SessionId): Session {
        return new Session(this, id ?? mintSessionId());
    }

    observer(): Session {
        return new Session(this, undefined);
    }

    async [Symbol.asyncDispose](): Promise<void> {
        await this.agent.stop();
        rmSync(this.directory, { recursive: true, force: true });
    }

    #boot(): Agent {
        const agent = new Agent({
            custody: new Custody(this.places, this.fingerprint, this.clock),
            os: this.node.os,
            drivers: this.node.drivers,
            clock: this.clock,
            random: () => 0,
            agentHash: "hash",
            awaitingRestart: async () => [],
            leave: () => {
                this.left++;
            },
        });
        agent.start();
        return agent;
    }
}

interface Asking {
    readonly signal?: AbortSignal;
    readonly heard?: string[];
}

/** A provider process with one channel. */
export class Session {
    readonly bench: Bench;
    readonly id: SessionId | undefined;
    readonly channel = {};
    tenant = "" as TenantId;
    machine: MachineId;
    seen: (Life | TenantId)[] = [];
    /** The agent has closed the channel. */
    isHungUp = false;
    readonly #closed = new AbortController();
    readonly #close: () => void;
    readonly #handlers: ReturnType<typeof handlersFor>;

    constructor(bench: Bench, id: SessionId | undefined) {
        this.bench = bench;
        this.id = id;
        this.machine = bench.machine;
        this.#close = bench.agent.opened(this.channel, id, () => {
            this.isHungUp = true;
        });
        this.#handlers = handlersFor(bench.agent, { protocol: PROTOCOL, session: id, channel: this.channel });
    }

    get caller(): Caller {
        return { machine: this.machine, tenant: this.tenant, seen: this.seen };
    }

    ask<M extends Method>(method: M, params: Params<M>, { signal, heard = [] }: Asking = {}): Promise<Result<M>> {
        const handler = this.#handlers[method] as unknown as (params: Params<M>, call: ServerCall) => Promise<Result<M>>;
        return handler(params, {
            signal: AbortSignal.any([this.#closed.signal, ...(signal ? [signal] : [])]),
            progress: (doing) => heard.push(doing),
        });
    }

    /** The channel breaks, and what waited on it with it. */
    drop(): void {
        this.#closed.abort();
        this.#close();
    }

    /** Creates a Node, or goes on as one that exists. */
    async nodeOf(name = "alpha"): Promise<NodeReport> {
        const report = await this.ask("node.create", {
            urn: urnOf("Node", name),
            name,
            settings: { installPackages: true },
            operation: mintSessionId(),
            seen: this.seen,
        });
        this.tenant = report.tenant;
        this.machine = report.machine;
        return report;
    }

    /** Another process for the same program, as after a state was saved. */
    next(): Session {
        const session = this.bench.session();
        session.tenant = this.tenant;
        session.machine = this.machine;
        return session;
    }

    create(
        kind: "ZMount" | "Zdb",
        name: string,
        more: Partial<Params<"resource.create">> = {},
        asking: Asking = {},
    ): Promise<ResourceReport> {
        return this.ask(
            "resource.create",
            {
                caller: this.caller,
                kind,
                urn: urnOf(kind, name),
                name,
                operation: mintSessionId(),
                waitMs: 60_000,
                trashMs: DAY_MS,
                settings: { installPackages: true },
                ...more,
                spec: { node: formatNodeId(this.machine, this.tenant), size: "20MiB", ...more.spec },
            },
            asking,
        );
    }

    update(
        life: Life,
        kind: "ZMount" | "Zdb",
        name: string,
        spec: Readonly<Record<string, unknown>>,
        asking: Asking = {},
    ): Promise<ResourceReport> {
        return this.ask(
            "resource.update",
            {
                caller: this.caller,
                life,
                urn: urnOf(kind, name),
                spec: { node: formatNodeId(this.machine, this.tenant), size: "20MiB", ...spec },
                waitMs: 60_000,
                settings: { installPackages: true },
            },
            asking,
        );
    }

    read(life: Life, digests: Params<"resource.read">["digests"] = {}): Promise<ReadReport> {
        return this.ask("resource.read", { caller: this.caller, life, digests });
    }

    remove(life: Life, more: Partial<Params<"resource.delete">> = {}): Promise<unknown> {
        return this.ask("resource.delete", { caller: this.caller, life, onRemove: "delete", trashMs: DAY_MS, waitMs: 60_000, ...more });
    }

    end(confirmed: readonly (Life | TenantId)[] = []): Promise<unknown> {
        return this.ask("session.end", { confirmed });
    }

    idOf({ life }: { readonly life: Life }): string {
        return formatResourceId(this.machine, this.tenant, life);
    }
}

/** A Node with a ZMount and a Zdb on it, data on both, and the session that made them. */
export const madeWithData = async (bench: Bench) => {
    const session = bench.session();
    await session.nodeOf();
    const disk = await session.create("ZMount", "disk");
    const db = await session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } });
    bench.node.write(disk.life, "files");
    bench.node.write(db.life, "keys");
    return { session, disk, db };
};

export const urnOf = (kind: Kind, name: string): string => `urn:pulumi:dev::test::pulumi-nodejs:dynamic/zeroform:${kind}::${name}`;
