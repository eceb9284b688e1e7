import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import type * as Ssh2 from "ssh2";
import type { Api, Caller, Method, Params, ReadReport, ResourceReport, Welcome } from "../../protocol/api.ts";
import { type Handlers, openServerChannel, type ServerCall } from "../../protocol/channel.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { type Life, mintLife, mintMachineId, mintTenantId, type TenantId } from "../../protocol/ids.ts";
import { RPC_MARKER } from "../../protocol/layout.ts";
import { soundKeys } from "./sound-keys.ts";

const { Server } = createRequire(import.meta.url)("ssh2") as typeof Ssh2;

interface Resource {
    readonly kind: string;
    readonly spec: Record<string, unknown>;
}

export interface Call {
    readonly method: Method;
    readonly params: unknown;
}

type Answers = { [M in Method]?: (params: Params<M>, call: ServerCall) => Promise<Api[M][1]> };

/** A machine as the provider sees it: a real SSH server, and behind it an agent that keeps resources in memory. */
export const startFakeNode = async () => {
    const machine = mintMachineId();
    const hostKeys = soundKeys();
    const clientKeys = soundKeys();
    const tenants = new Map<TenantId, string>();
    const resources = new Map<Life, Resource>();
    const calls: Call[] = [];
    /** What the machine was asked to run over SSH. */
    const commands: string[] = [];
    /** What a test puts in the place of an answer. */
    const answers: Answers = {};
    const greeting: Welcome = { machine, protocols: [1], agentVersion: "9.0.0", agentHash: "fake", epoch: 1, store: "ok" };
    const sockets = new Set<{ end(): void }>();

    const server = new Server({ hostKeys: [hostKeys.private] }, (client) => {
        sockets.add(client);
        client.on("error", () => undefined);
        client.on("authentication", (context) => (context.method === "publickey" ? context.accept() : context.reject(["publickey"])));
        client.on("session", (accept) => {
            accept().on("exec", (run, _reject, { command }) => {
                commands.push(command);
                const stream = run();
                stream.write(RPC_MARKER);
                openServerChannel(stream, stream, greeting, recorded(handlers, answers, calls));
            });
        });
    });
    const handlers = agentOf(machine, tenants, resources);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const stop = () => {
        for (const socket of sockets) socket.end();
        return new Promise<void>((resolve) => server.close(() => resolve()));
    };
    return { machine, port, privateKey: clientKeys.private, resources, tenants, calls, commands, answers, handlers, stop };
};

export type FakeNode = Awaited<ReturnType<typeof startFakeNode>>;

const recorded = (handlers: Handlers, answers: Answers, calls: Call[]): Handlers =>
    Object.fromEntries(
        Object.keys(handlers).map((method) => [
            method,
            (params: never, call: ServerCall) => {
                calls.push({ method: method as Method, params });
                const answer = (answers[method as Method] ?? handlers[method as Method]) as (params: never, call: ServerCall) => unknown;
                return answer(params, call);
            },
        ]),
    ) as unknown as Handlers;

const agentOf = (machine: Welcome["machine"], tenants: Map<TenantId, string>, resources: Map<Life, Resource>): Handlers => {
    const facts = { arch: "x86_64", kernel: "6.1.0", cores: 2, memory: 4 * 2 ** 30, disks: [{ name: "vda", bytes: 2 ** 34 }] };
    const nodeReport = (tenant: TenantId) => ({ machine, tenant, agentVersion: "9.0.0", facts });
    const known = ({ tenant }: Caller) => {
        if (!tenants.has(tenant)) throw new ZeroformError({ code: "TENANT_UNKNOWN", message: "no such tenant" });
    };
    const report = (life: Life, kind: string, { password, ...given }: Record<string, unknown>): ResourceReport => ({
        life,
        state: "ready",
        reasons: [],
        spec: kind === "Zdb" ? { port: 9900, ...given } : given,
        generatedSecrets: kind === "Zdb" && password === undefined ? { password: "generated-on-the-node" } : {},
        outputs: kind === "Zdb" ? { namespace: `n-${life}` } : { path: `/var/lib/zeroform/mounts/${life}` },
    });
    const unused = () => Promise.reject(new Error("the provider has no business with this"));
    return {
        "node.create": async ({ urn }) => {
            const tenant = mintTenantId();
            tenants.set(tenant, urn);
            return nodeReport(tenant);
        },
        "node.update": async ({ caller }) => nodeReport(caller.tenant),
        "node.read": async ({ caller }) => (tenants.has(caller.tenant) ? { found: true, ...nodeReport(caller.tenant) } : { found: false }),
        "node.delete": async ({ caller }) => {
            tenants.delete(caller.tenant);
            return { kept: [], agent: "removed" };
        },
        "node.known": async ({ urn }) => ({ known: [...tenants.values()].includes(urn) }),
        "resource.create": async ({ caller, kind, spec }, { progress }) => {
            known(caller);
            progress("reserving the space");
            const life = mintLife();
            resources.set(life, { kind, spec: { ...spec } });
            return report(life, kind, spec);
        },
        "resource.update": async ({ caller, life, spec }) => {
            known(caller);
            const kind = resources.get(life)?.kind ?? "";
            resources.set(life, { kind, spec: { ...spec } });
            return report(life, kind, spec);
        },
        "resource.read": async ({ life }): Promise<ReadReport> => {
            const resource = resources.get(life);
            if (!resource) return { found: false };
            const { generatedSecrets: _, ...rest } = report(life, resource.kind, resource.spec);
            return { found: true, ...rest, differingSecrets: [] };
        },
        "resource.delete": async ({ life }) => {
            resources.delete(life);
            return {};
        },
        "session.end": async () => ({}),
        status: unused,
        events: async () => [],
        metrics: async () => [],
        "trash.list": unused,
        "trash.restore": unused,
        "trash.purge": unused,
        "tenant.list": unused,
        "tenant.evict": unused,
        "tenant.disclose": unused,
        "tenant.rename": async () => ({}),
        "machine.claim": unused,
        "reconciler.pause": unused,
        "reconciler.resume": unused,
        "reconciler.sweep": unused,
    };
};
