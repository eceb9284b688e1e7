import { mintLife, mintMachineId, mintTenantId } from "../../protocol/ids.ts";
import type { Kind } from "../../schema/index.ts";
import { check } from "./check.ts";
import type { Properties } from "./values.ts";

/** Resources as tests of the lifecycle need them: what a program and its SDK classes send. */
export const machine = mintMachineId();
export const tenant = mintTenantId();
export const life = mintLife();
export const nodeId = `${machine}/${tenant}`;
export const resourceId = `${nodeId}/${life}`;
export const urnOf = (kind: Kind, name: string) => `urn:pulumi:dev::test::pulumi-nodejs:dynamic/zeroform:${kind}::${name}`;

const onNode = {
    node: nodeId,
    nodeMachine: "instance-1",
    connection: { host: "10.0.0.11", hostKey: "ssh-ed25519 AAAA" },
    nodeUrn: urnOf("Node", "alpha"),
};

export const written: Record<Kind, Properties> = {
    Node: { host: "10.0.0.11", machine: "instance-1", __urn: urnOf("Node", "alpha") },
    ZMount: { ...onNode, size: "20GiB", pool: "/srv/pool", __urn: urnOf("ZMount", "disk") },
    Zdb: { ...onNode, mount: resourceId, size: "5GiB", password: "given-password", port: 9901, __urn: urnOf("Zdb", "events") },
    ZStor: {
        ...onNode,
        backends: [1, 2, 3, 4, 5, 6].map((index) => ({ url: `redis://data:given-password@10.0.0.${index}:9900` })),
        metadata: [1, 2, 3, 4].map((index) => `redis://meta:given-password@10.0.0.${index}:9900`),
        secret: "a secret of somebody",
        spread: { backends: 6, groups: 6 },
        __urn: urnOf("ZStor", "store"),
    },
};

/** Inputs as `check` makes them of what is written. */
export const checked = (kind: Kind, more: Properties = {}): Properties => {
    const { inputs, failures } = check(kind, {}, { ...written[kind], ...more });
    if (failures.length > 0) throw new Error(JSON.stringify(failures));
    return inputs;
};
