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
};

/** Inputs as `check` makes them of what is written. */
export const checked = (kind: Kind, more: Properties = {}): Properties => {
    const { inputs, failures } = check(kind, {}, { ...written[kind], ...more });
    if (failures.length > 0) throw new Error(JSON.stringify(failures));
    return inputs;
};
