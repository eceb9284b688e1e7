import type { Api, Caller, Method, Params, ResourceReport, Welcome } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { mintMachineId } from "../../protocol/ids.ts";
import { VERSION } from "../../protocol/version.ts";
import type { Reach } from "../../schema/on-node.ts";
import { life, machine, tenant } from "./sample.ts";
import { Session } from "./session.ts";
import type { Destination, LinkOptions, NodeLink, Surroundings } from "./surroundings.ts";

type Answers = { [M in Method]?: (params: Params<M>) => Api[M][1] | Promise<Api[M][1]> };

/** A machine that answers what a test tells it to. */
export interface FakeMachine {
    readonly welcome: Welcome;
    readonly hostKey: string;
    readonly answers: Answers;
    /** Why there is no link to it. */
    readonly failure?: ZeroformError;
}

export const fakeMachine = (answers: Answers = {}, id = machine): FakeMachine => ({
    welcome: { machine: id, protocols: [1], agentVersion: VERSION, agentHash: "h", epoch: 1, store: "ok" },
    hostKey: "ssh-ed25519 AAAA",
    answers,
});

export const anotherMachine = mintMachineId();

export const nodeReport = {
    machine,
    tenant,
    agentVersion: VERSION,
    facts: { arch: "x86_64", kernel: "6.1", cores: 2, memory: 1, disks: [] },
};

export const report = (more: Partial<ResourceReport> = {}): ResourceReport => ({
    life,
    state: "ready",
    reasons: [],
    spec: {},
    generatedSecrets: {},
    outputs: {},
    ...more,
});

/** Everything around an operation, in memory: time passes only by sleeping, and everybody's words are kept. */
export const fakeSurroundings = (machines: Record<string, FakeMachine>, onUnreachable?: string) => {
    let now = 0;
    let isAlive = true;
    const timers: { readonly at: number; readonly then: () => void; taken: boolean }[] = [];
    const said: string[] = [];
    const warned: string[] = [];
    const links: { readonly reach: Reach; readonly options: LinkOptions }[] = [];
    const calls: { readonly method: Method; readonly params: Record<string, unknown> & { readonly caller?: Caller } }[] = [];
    const session = new Session();

    const pass = (ms: number) => {
        now += ms;
        for (const timer of timers) if (!timer.taken && timer.at <= now) fire(timer);
    };
    const fire = (timer: { taken: boolean; readonly then: () => void }) => {
        timer.taken = true;
        timer.then();
    };
    const place = ({ host, port = 22, user = "root" }: Pick<Reach, "host" | "port" | "user">) => ({
        address: host,
        port,
        user,
        agentSocket: undefined,
    });
    const hopKeys = (via: Reach["via"] = []) => via.map(({ host, port = 22 }) => `[${host}]:${port} ssh-ed25519 HOP`);
    const resolve = (reach: Reach): Destination => {
        const [hop] = reach.via ?? [];
        const { hostKey = "ssh-ed25519 HOP", privateKey, passphrase } = hop ?? {};
        return { ...place(reach), hop: hop && { ...place(hop), hostKey, privateKey, passphrase } };
    };

    const surroundings: Surroundings = {
        session,
        onUnreachable,
        clock: {
            now: () => now,
            sleep: async (ms, signal) => {
                pass(ms);
                signal?.throwIfAborted();
            },
            after: (ms, then) => {
                const timer = { at: now + ms, then, taken: false };
                timers.push(timer);
                return () => {
                    timer.taken = true;
                };
            },
        },
        engine: {
            assertAlive: async () => {
                if (!isAlive) throw new ZeroformError({ code: "ENGINE_GONE", message: "the engine is gone" });
            },
            say: (_urn, doing) => said.push(doing),
            inform: (_urn, text) => said.push(text),
            warn: (_urn, text) => warned.push(text),
        },
        nodes: {
            resolve,
            link: async (reach, options): Promise<NodeLink> => {
                links.push({ reach, options });
                const found = machines[reach.host];
                if (!found) {
                    // As the pool does it: waits until it is told not to, and then says what was in the way.
                    while (!options.signal?.aborted) pass(1_000);
                    throw new ZeroformError({ code: "SSH_REFUSED", message: `${reach.host} refused SSH`, retryable: true });
                }
                if (reach.hostKey !== undefined && reach.hostKey !== found.hostKey)
                    throw new ZeroformError({ code: "SSH_HOST_KEY", message: `${reach.host} shows another host key` });
                if (found.failure) throw found.failure;
                return {
                    welcome: found.welcome,
                    hostKey: found.hostKey,
                    hopKeys: hopKeys(reach.via),
                    target: resolve(reach),
                    request: async (method, params) => {
                        calls.push({ method, params });
                        const answer = found.answers[method];
                        if (!answer) throw new ZeroformError({ code: "INTERNAL", message: `${method} was not expected` });
                        return answer(params);
                    },
                };
            },
        },
    };
    const kill = () => {
        isAlive = false;
    };
    return { surroundings, session, machines, said, warned, links, calls, pass, kill, now: () => now };
};
