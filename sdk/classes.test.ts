import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, it } from "vitest";
import { Node, Zdb, type ZdbArgs, ZMount, ZStor } from "./index.ts";

interface Registered {
    readonly type: string;
    readonly name: string;
    readonly inputs: Record<string, unknown>;
}

const registered: Registered[] = [];
const NODE_URN = "urn:pulumi:stack::project::pulumi-nodejs:dynamic/zeroform:Node::alpha";
const SECRET = "4dabf18193072939515e22adb298388d";

const mock = async (preview = false, answered: Record<string, unknown> = preview ? {} : made) => {
    registered.length = 0;
    await pulumi.runtime.setMocks(
        {
            newResource: ({ type, name, inputs }) => {
                registered.push({ type, name, inputs });
                return { id: preview ? undefined : `id-of-${name}`, state: { ...answered, ...inputs } };
            },
            call: () => ({}),
        },
        "project",
        "stack",
        preview,
    );
};
const made = { hostKey: "ssh-ed25519 AAAA", path: "/m", namespace: "n", password: "made-on-node", host: "10.0.0.9", port: 9900 };
const URL_OF_MADE = "redis://n:made-on-node@10.0.0.9:9900";

const valueIn = <T>(output: pulumi.Output<T>) => new Promise<T>((resolve) => output.apply((value) => resolve(value as T)));

const inputsOf = async (resource: pulumi.CustomResource) => {
    await valueIn(resource.urn);
    const name = (await valueIn(resource.urn)).split("::").at(-1);
    const found = registered.find((each) => each.name === name);
    if (!found) throw new Error("it was not registered");
    return found;
};

describe("a program's resources", () => {
    beforeEach(() => mock());

    it("register under a type of their own with the constant provider text and their URN", async () => {
        const node = new Node("alpha", { host: "10.0.0.11" });
        expect(await inputsOf(node)).toEqual({
            type: "pulumi-nodejs:dynamic/zeroform:Node",
            name: "alpha",
            inputs: {
                host: "10.0.0.11",
                __provider: 'exports.handler=()=>require("zeroform/provider").load("Node")',
                __urn: NODE_URN,
            },
        });
    });

    it("lower a node to its id, its machine and how it is reached", async () => {
        const alpha = new Node("alpha", { host: "10.0.0.11", user: "admin", machine: "i-1", trash: "2d", onUnreachable: "abandon" });
        const { inputs } = await inputsOf(new ZMount("disk", { node: alpha, size: "20GiB" }));
        expect(inputs).toMatchObject({
            node: "id-of-alpha",
            nodeMachine: "i-1",
            nodeUrn: NODE_URN,
            connection: { host: "10.0.0.11", user: "admin", hostKey: "ssh-ed25519 AAAA", trash: "2d", onUnreachable: "abandon" },
            size: "20GiB",
        });
        expect(Object.keys(inputs).sort()).toEqual(["__provider", "__urn", "connection", "node", "nodeMachine", "nodeUrn", "size"].sort());
    });

    it("lower a mount to its id, and to the node that it is on", async () => {
        const alpha = new Node("alpha", { host: "10.0.0.11" });
        const disk = new ZMount("disk", { node: alpha, size: "20GiB" });
        const onMount = await inputsOf(new Zdb("events", { mount: disk, size: "5GiB" }));
        expect(onMount.inputs).toMatchObject({ mount: "id-of-disk", node: "id-of-alpha", nodeUrn: NODE_URN });
        const onNode = await inputsOf(new Zdb("other", { node: alpha, size: "5GiB" }));
        expect(onNode.inputs).toMatchObject({ node: "id-of-alpha" });
        expect(onNode.inputs).not.toHaveProperty("mount");
    });

    it("lower the parts of a store to their urls, and to the machines that they are lost with", async () => {
        const [alpha, beta] = [new Node("alpha", { host: "10.0.0.11" }), new Node("beta", { host: "10.0.0.12" })];
        const zdb = (name: string, node: Node) => new Zdb(name, { node, size: "5GiB" });
        const store = new ZStor("store", {
            node: alpha,
            backends: [
                { zdb: zdb("a", alpha) },
                { zdb: zdb("b", alpha), group: "rack", weight: 2 },
                { zdb: zdb("c", beta) },
                { url: "redis://x:y@10.0.0.13", disk: "sda" },
            ],
            metadata: [zdb("m", beta), "redis://x:y@10.0.0.13"],
            cache: { mount: new ZMount("disk", { node: alpha, size: "1GiB" }), size: "512MiB" },
        });
        const { inputs } = await inputsOf(store);
        expect(inputs.backends).toMatchObject({
            value: [
                { url: URL_OF_MADE, group: "id-of-alph" },
                { url: URL_OF_MADE, group: "rack", weight: 2 },
                { url: URL_OF_MADE, group: "id-of-bet" },
                { url: "redis://x:y@10.0.0.13", disk: "sda" },
            ],
        });
        expect(inputs.metadata).toMatchObject({ value: [URL_OF_MADE, "redis://x:y@10.0.0.13"] });
        for (const list of [inputs.backends, inputs.metadata]) expect(list).toHaveProperty(SECRET);
        expect(inputs).toMatchObject({ cache: "id-of-disk", cacheSize: "512MiB" });
        expect(inputs).toMatchObject({ node: "id-of-alpha", spread: { backends: 4, groups: 4 } });
        expect(inputs.spread).not.toHaveProperty(SECRET);
    });

    it("keep secrets secret, also on the way to the node", async () => {
        const alpha = new Node("alpha", { host: "10.0.0.11", privateKey: "the key" });
        const db = new Zdb("events", { node: alpha, size: "5GiB", password: "given-password" });
        expect((await inputsOf(alpha)).inputs.privateKey).toHaveProperty(SECRET);
        const { inputs } = await inputsOf(db);
        expect(inputs.password).toHaveProperty(SECRET);
        expect(inputs.connection).toHaveProperty(SECRET);
        expect(await pulumi.isSecret(db.password)).toBe(true);
    });

    it("keep jump hosts secret as a whole where they hold a key, in whatever form they are written", async () => {
        const key = pulumi.output("hop key");
        const forms = [
            { host: "b", privateKey: "hop key" },
            [{ host: "b", privateKey: key }],
            ["a", pulumi.output({ host: "b", passphrase: "words" })],
            pulumi.output([{ host: "b", privateKey: "hop key" }]),
        ];
        for (const [index, via] of forms.entries()) {
            const node = new Node(`n${index}`, { host: "10.0.0.11", via });
            expect((await inputsOf(node)).inputs.via).toHaveProperty(SECRET);
            expect((await inputsOf(new ZMount(`d${index}`, { node, size: "20GiB" }))).inputs.connection).toHaveProperty(SECRET);
        }
        const open = new Node("open", { host: "10.0.0.11", via: ["a", { host: "b" }] });
        expect((await inputsOf(open)).inputs.via).toEqual(["a", { host: "b" }]);
    });

    it("know their URN under a component", async () => {
        class Group extends pulumi.ComponentResource {
            readonly node: Node;
            constructor(name: string) {
                super("test:index:Group", name);
                this.node = new Node("alpha", { host: "10.0.0.11" }, { parent: this });
                this.registerOutputs();
            }
        }
        const { inputs } = await inputsOf(new Group("group").node);
        expect(inputs.__urn).toBe("urn:pulumi:stack::project::test:index:Group$pulumi-nodejs:dynamic/zeroform:Node::alpha");
    });

    it("show typed outputs", async () => {
        const alpha = new Node("alpha", { host: "10.0.0.11" });
        const disk = new ZMount("disk", { node: alpha, size: "20GiB" });
        const db = new Zdb("events", { mount: disk, size: "5GiB" });
        const outputs: [pulumi.Output<string>, pulumi.Output<string>, pulumi.Output<number>, pulumi.Output<string>, pulumi.Output<string>] =
            [disk.path, db.url, db.port, db.password, alpha.hostKey];
        expect(await valueIn(outputs[0])).toBe("/m");
        expect(await valueIn(outputs[1])).toBe(URL_OF_MADE);
        expect(await valueIn(outputs[2])).toBe(9900);
    });

    it("compose what no state has, secret, and once", async () => {
        const node = new Node("alpha", { host: "10.0.0.11" });
        const sealed = { certificate: "certificate", privateKey: "private key" };
        const at = async (args: Partial<ZdbArgs>) => {
            const db = new Zdb("events", { node, size: "5GiB", ...args } as ZdbArgs);
            expect((await inputsOf(db)).inputs).not.toHaveProperty("url");
            expect(await pulumi.isSecret(db.url)).toBe(true);
            expect(db.url).toBe(db.url);
            return valueIn(db.url);
        };
        expect(await at({ password: "p@ss/word", port: 9901 })).toBe("redis://n:p%40ss%2Fword@10.0.0.9:9901");
        expect(await at({ tls: sealed })).toBe("rediss://n:made-on-node@10.0.0.9:9900");
        for (const property of ["namespace", "port"] as const) {
            const without: pulumi.ResourceTransformation = ({ props, opts }) => ({ props: { ...props, [property]: null }, opts });
            expect(await valueIn(new Zdb("events", { node, size: "5GiB" }, { transformations: [without] }).url)).toBeUndefined();
        }
    });

    it("show defaults that nobody wrote, which no state has, and what a transform wrote in their place", async () => {
        const node = new Node("alpha", { host: "10.0.0.11" });
        const worm: pulumi.ResourceTransformation = ({ props, opts }) => ({ props: { ...props, worm: true }, opts });
        const db = new Zdb("events", { node, size: "5GiB", durability: "commit" }, { transformations: [worm] });
        expect((await inputsOf(db)).inputs).not.toHaveProperty("mode");
        expect(await Promise.all([db.mode, db.worm, db.durability].map((output) => valueIn<unknown>(output)))).toEqual([
            "user",
            true,
            "commit",
        ]);
    });

    it("are known to policies by their class", () => {
        const alpha = new Node("alpha", { host: "10.0.0.11" });
        expect(ZMount.__pulumiType).toBe("pulumi-nodejs:dynamic/zeroform:ZMount");
        expect(Node.isInstance(alpha)).toBe(true);
        expect(Zdb.isInstance(alpha)).toBe(false);
        expect(Zdb.isInstance(undefined)).toBe(false);
    });
});

describe("in a preview", () => {
    it("a resource on a node that does not exist yet is registered all the same", async () => {
        await mock(true);
        const alpha = new Node("alpha", { host: "10.0.0.11" });
        const disk = new ZMount("disk", { node: alpha, size: "20GiB" });
        const { inputs } = await inputsOf(disk);
        expect(inputs).toMatchObject({ size: "20GiB", nodeUrn: NODE_URN });
    });

    it("a default is known, and what is written is not before it is", async () => {
        await mock(true);
        const later = pulumi.output(pulumi.unknown as unknown as "ext4");
        const [node, seen] = [new Node("alpha", { host: "10.0.0.11" }), [] as unknown[]];
        const [plain, written] = [undefined, later].map(
            (filesystem) => new ZMount(`disk-${filesystem}`, { node, size: "20GiB", filesystem }),
        );
        written?.filesystem.apply((value) => seen.push(value));
        expect(await valueIn(plain?.filesystem ?? later)).toBe("ext4");
        expect(seen).toEqual([]);
    });
});

describe("what is composed, in a preview", () => {
    const later = pulumi.output(pulumi.unknown as unknown as string);
    it.each([
        ["is known where its parts are, though nobody wrote those that may be left out", made, {}, true],
        ["is not before it is made", {}, {}, false],
        ["is not while a part is not that was written", made, { tls: { certificate: later, privateKey: "private key" } }, false],
    ])("%s", async (_, answered, args, isKnown) => {
        await mock(true, answered);
        const { url } = new Zdb("events", { node: new Node("alpha", { host: "10.0.0.11" }), size: "5GiB", ...args });
        expect(await Reflect.get(url, "isKnown")).toBe(isKnown);
        if (isKnown) expect(await valueIn(url)).toBe(URL_OF_MADE);
    });
});

describe("wrong references fail with a sentence", () => {
    beforeEach(() => mock());
    const node = () => new Node("alpha", { host: "10.0.0.11" });
    const disk = () => new ZMount("disk", { node: node(), size: "20GiB" });
    /** What a program in JavaScript, or one that casts, may pass. */
    const wrong = (value: unknown) => value as never;

    it.each<[string, () => unknown, string]>([
        ["no node", () => new ZMount("a", wrong({ size: "1GiB" })), 'ZMount "a": node must be a Node of this program, not left out.'],
        [
            "a name",
            () => new ZMount("a", wrong({ node: "alpha", size: 1 })),
            'ZMount "a": node must be a Node of this program, not a string.',
        ],
        ["an id", () => new ZMount("a", wrong({ node: node().id })), 'ZMount "a": node must be a Node of this program, not an output.'],
        [
            "a mount as node",
            () => new ZMount("a", wrong({ node: disk() })),
            'ZMount "a": node must be a Node of this program, not a ZMount.',
        ],
        ["a node as mount", () => new Zdb("a", wrong({ mount: node() })), 'Zdb "a": mount must be a ZMount of this program, not a Node.'],
        ["neither", () => new Zdb("a", wrong({ size: 1 })), 'Zdb "a": node (or mount) must be a Node of this program, not left out.'],
        [
            "both",
            () => new Zdb("a", wrong({ node: node(), mount: disk() })),
            'Zdb "a": give node or mount, not both; a mount has its node.',
        ],
        [
            "a Zdb without its words",
            () => new ZStor("a", wrong({ node: node(), backends: [disk()], metadata: [] })),
            'ZStor "a": backends[0]: give { zdb } or { url }.',
        ],
        [
            "one thing for a list",
            () => new ZStor("a", wrong({ node: node(), backends: "redis://x", metadata: [] })),
            'ZStor "a": backends must be a list, not a string.',
        ],
        [
            "a node as backend",
            () => new ZStor("a", wrong({ node: node(), backends: [{ zdb: node() }], metadata: [] })),
            'ZStor "a": backends[0]: zdb must be a Zdb of this program, not a Node.',
        ],
        [
            "a mount alone as cache",
            () => new ZStor("a", wrong({ node: node(), backends: [], metadata: [], cache: disk() })),
            'ZStor "a": cache: write { mount, size }.',
        ],
        [
            "a cache on another node",
            () => new ZStor("a", { node: node(), backends: [], metadata: [], cache: { mount: disk(), size: "1GiB" } }),
            'ZStor "a": cache: mount is on another node than the front end.',
        ],
        [
            "no inputs",
            () => new Node("a", wrong(undefined)),
            'Node "a": its second argument must be an object with its inputs, not left out.',
        ],
    ])("%s", (_, make, sentence) => {
        const thrown = (() => {
            try {
                make();
            } catch (error) {
                return error;
            }
        })();
        expect(thrown).toBeInstanceOf(pulumi.RunError);
        expect(thrown).toHaveProperty("message", sentence);
    });
});
