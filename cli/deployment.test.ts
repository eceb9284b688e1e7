import { describe, expect, it } from "vitest";
import type { Adopted } from "../provider/lifecycle/adoption.ts";
import { UNKNOWN } from "../provider/lifecycle/values.ts";
import { declarations } from "./declarations.ts";
import { deploymentOf } from "./deployment.ts";
import type { PlannedResource } from "./program-plan.ts";

const PREFIX = "urn:pulumi:dev::shop";
const ROOT = `${PREFIX}::pulumi:pulumi:Stack::shop-dev`;
const GROUP = `${PREFIX}::test:index:Group::group`;
const PROVIDER = `${PREFIX}::pulumi:providers:pulumi-nodejs::default`;
const typeOf = (kind: string) => `pulumi-nodejs:dynamic/zeroform:${kind}`;
const NODE = `${PREFIX}::test:index:Group$${typeOf("Node")}::alpha`;
const DB = `${PREFIX}::${typeOf("Zdb")}::new`;
const SECRET = "4dabf18193072939515e22adb298388d";

const node: Adopted = {
    kind: "Node",
    urn: NODE,
    id: "m/t",
    inputs: { host: "10.0.0.11", privateKey: "the key", trash: "1d", __urn: NODE },
    outputs: { host: "10.0.0.11", connection: { host: "10.0.0.11", privateKey: "the key" }, __given: ["host"] },
    references: {},
};
const db: Adopted = {
    kind: "Zdb",
    urn: DB,
    id: "m/t/l",
    inputs: { size: "5GiB", mode: "user", connection: { host: "10.0.0.11", privateKey: "the key" } },
    outputs: { size: "5GiB", password: "generated", namespace: "n" },
    references: { node: NODE },
};

const planned: readonly PlannedResource[] = [
    { urn: ROOT, type: "pulumi:pulumi:Stack", custom: false, stackTrace: [{}] },
    { urn: GROUP, type: "test:index:Group", custom: false, parent: ROOT },
    { urn: `${PREFIX}::aws:ec2:Instance::vm`, type: "aws:ec2:Instance", custom: true, parent: ROOT },
    {
        urn: NODE,
        type: typeOf("Node"),
        custom: true,
        parent: GROUP,
        protect: true,
        inputs: { host: UNKNOWN },
        dependencies: [`${PREFIX}::aws:ec2:Instance::vm`],
        propertyDependencies: { host: [`${PREFIX}::aws:ec2:Instance::vm`], __urn: [] },
        provider: `${PROVIDER}::${UNKNOWN}`,
        sourcePosition: "project:///index.ts#1,1",
    },
];

const deployed = (plans: readonly PlannedResource[], adopted: readonly Adopted[]) => {
    const { deployment, version } = deploymentOf({
        stack: "dev",
        project: "shop",
        planned: plans,
        adopted,
        empty: { secrets_providers: { type: "passphrase" } },
        mintId: () => "minted",
    });
    expect(version).toBe(3);
    expect(deployment.secrets_providers).toEqual({ type: "passphrase" });
    return new Map(deployment.resources.map((resource) => [resource.urn, resource]));
};

describe("a deployment for the program that is there", () => {
    const resources = deployed(planned, [node]);

    it("has each resource as the program has it, with id and values of the node", () => {
        expect([...resources.keys()]).toEqual([ROOT, PROVIDER, GROUP, NODE]);
        expect(resources.get(NODE)).toMatchObject({
            id: "m/t",
            parent: GROUP,
            protect: true,
            provider: `${PROVIDER}::minted`,
            inputs: { host: "10.0.0.11", __provider: 'exports.handler=()=>require("zeroform/provider").load("Node")' },
        });
        expect(resources.get(NODE)).not.toHaveProperty("sourcePosition");
    });

    it("refers to nothing that is lost", () => {
        expect(resources.get(NODE)).toMatchObject({ dependencies: [], propertyDependencies: { host: [], __urn: [] } });
    });

    it("has secrets as the CLI takes and encrypts them", () => {
        const clear = (text: string) => ({ [SECRET]: expect.any(String), plaintext: JSON.stringify(text) });
        const { inputs, outputs } = resources.get(NODE) as unknown as Record<string, Record<string, unknown>>;
        expect(inputs?.privateKey).toEqual(clear("the key"));
        expect(outputs?.connection).toHaveProperty("plaintext", JSON.stringify({ host: "10.0.0.11", privateKey: "the key" }));
    });
});

describe("a deployment without a program", () => {
    const resources = deployed([], [node, db]);

    it("has what the program would have said, as far as it can be told", () => {
        expect([...resources.keys()]).toEqual([ROOT, PROVIDER, NODE, DB]);
        expect(resources.get(DB)).toMatchObject({
            parent: ROOT,
            dependencies: [NODE],
            propertyDependencies: { node: [NODE], connection: [NODE], nodeUrn: [NODE] },
            additionalSecretOutputs: ["password", "tls"],
            inputs: { connection: { privateKey: { plaintext: '"the key"' } } },
            outputs: { password: { plaintext: '"generated"' }, namespace: "n" },
        });
    });

    it("is shown as TypeScript, each under what it stands on, without defaults and secrets", () => {
        const shown = declarations([db, node]);
        expect(shown.split("\n")).toEqual([
            'const alpha = new Node("alpha", { host: "10.0.0.11", privateKey: /* secret */ });  // m/t',
            '    const _new = new Zdb("new", { node: alpha, size: "5GiB" });  // m/t/l',
        ]);
    });
});
