import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EngineLog, startEngineLog } from "./engine-log.ts";
import { type FakeNode, startFakeNode } from "./fake-node.ts";
import { type Props, type Provider, startProvider } from "./provider-process.ts";

export const urnOf = (kind: string, name: string) => `urn:pulumi:dev::wire::pulumi-nodejs:dynamic/zeroform:${kind}::${name}`;

/** An engine, a node, and a provider process between them; all gone at the end. */
export const startRun = async (env: Readonly<Record<string, string>> = {}) => {
    const home = mkdtempSync(join(tmpdir(), "zeroform-wire-"));
    const engine: EngineLog = await startEngineLog();
    const node: FakeNode = await startFakeNode();
    const provider: Provider = await startProvider({ engine: engine.address, env: { HOME: home, SSH_AUTH_SOCK: "", ...env } });
    const stop = async () => {
        await provider.stop();
        engine.stop();
        await node.stop();
        rmSync(home, { recursive: true, force: true });
    };
    return { engine, node, provider, stop, [Symbol.asyncDispose]: stop };
};

export type Run = Awaited<ReturnType<typeof startRun>>;

export const nodeInputs = ({ node }: Pick<Run, "node">, more: Props = {}): Props => ({
    host: "127.0.0.1",
    port: node.port,
    user: "root",
    privateKey: node.privateKey,
    __urn: urnOf("Node", "alpha"),
    ...more,
});

/** Checks and makes a resource as the engine does. */
export const make = async ({ provider }: Pick<Run, "provider">, kind: string, news: Props) => {
    const { inputs, failures } = await provider.check(kind, {}, news);
    if (failures.length > 0) throw new Error(JSON.stringify(failures));
    const { id, outs } = await provider.create(kind, inputs);
    return { id, inputs, outs };
};

/** What the SDK class of a resource on a node fills in. */
export const onNode = (run: Pick<Run, "node">, id: string, kind: string, name: string, more: Props): Props => ({
    node: id,
    connection: { host: "127.0.0.1", port: run.node.port, user: "root", privateKey: run.node.privateKey },
    nodeUrn: urnOf("Node", "alpha"),
    __urn: urnOf(kind, name),
    ...more,
});

/** Properties as the engine hands them on: secrets in clear, since a dynamic provider takes no others. */
export const opened = (properties: Props): Props => open(properties) as Props;

const open = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(open);
    if (typeof value !== "object" || value === null) return value;
    if ("4dabf18193072939515e22adb298388d" in value && "value" in value) return value.value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, open(each)]));
};
