import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import { bytesOf } from "../../schema/quantity.ts";
import { zstor } from "../../schema/zstor.ts";
import { DispersedStore, Node, ZMount } from "../index.ts";

interface Registered {
    readonly kind: string;
    readonly inputs: Readonly<Record<string, unknown>>;
}

const made = { password: "p", host: "10.0.0.1", port: 9900, secret: "s", command: "c" };
const urlOf = (name: string) => `redis://${name}:p@10.0.0.1:9900`;
const registered = new Map<string, Registered>();

const settled = <T>(output: pulumi.Output<T>) => new Promise<T>((resolve) => output.apply((value) => resolve(value as T)));
const secretsOpened = (value: unknown): unknown =>
    typeof value === "object" && value !== null && "value" in value && "4dabf18193072939515e22adb298388d" in value ? value.value : value;

describe("a DispersedStore", () => {
    // Once: a component tells its outputs after a test that made it may have ended.
    beforeAll(async () => {
        await pulumi.runtime.setMocks(
            {
                newResource: ({ type, name, inputs }) => {
                    registered.set(name, { kind: type.split(":").at(-1) ?? "", inputs });
                    return { id: `machine-of-${name}/tenant`, state: { ...inputs, ...made, namespace: name } };
                },
                call: () => ({}),
            },
            "project",
            "stack",
        );
    });
    const nodes = (...names: readonly string[]) => names.map((name) => new Node(name, { host: name }));
    const placesOn = (names: readonly string[]) =>
        Object.fromEntries(nodes(...names).map((node, index) => [names[index], { node, listen: "10.0.0.1" }]));

    it("makes parts with room for what it holds when a place is lost, metadata on four places, and a front end over them", async () => {
        const places = placesOn(["a", "b", "c", "d", "e"]);
        const store = new DispersedStore("photos", { node: places.a?.node as Node, places, size: "8GiB", secret: "sixteen characters" });
        await settled(store.store.urn);
        const zdbs = [...registered].filter(([name, { kind }]) => kind === "Zdb" && name.startsWith("photos-"));
        expect(zdbs.filter(([name]) => name.endsWith("-metadata")).map(([name]) => name)).toEqual(
            ["a", "b", "c", "d"].map((place) => `photos-${place}-metadata`),
        );
        const parts = zdbs.filter(([name]) => !name.endsWith("-metadata"));
        expect(parts.map(([name]) => name).sort()).toEqual(
            ["a", "b", "c", "d", "e"].flatMap((place) => [`photos-${place}-1`, `photos-${place}-2`]),
        );
        for (const [, { inputs }] of zdbs) expect(inputs).toMatchObject({ durability: "commit", listen: "10.0.0.1" });
        // Four places of five hold the store with its parity.
        const [, part] = parts[0] ?? [];
        expect(8 * bytesOf(Number(part?.inputs.size))).toBeGreaterThan(bytesOf("12GiB"));
        expect(8 * bytesOf(Number(part?.inputs.size))).toBeLessThan(bytesOf("13GiB"));

        const inputs = Object.fromEntries(
            Object.entries(registered.get("photos")?.inputs ?? {}).map(([key, value]) => [key, secretsOpened(value)]),
        );
        const settings = { dataShards: 4, parityShards: 2, redundantGroups: 1, secret: "sixteen characters" };
        expect(inputs).toMatchObject({ ...settings, node: "machine-of-a/tenant", spread: { backends: 10, groups: 5 } });
        expect(inputs.backends).toContainEqual({ url: urlOf("photos-b-2"), group: "machine-of-b", disk: "b-2" });
        expect(inputs.metadata).toEqual(["a", "b", "c", "d"].map((place) => urlOf(`photos-${place}-metadata`)));
        // What it asks for can be, by the rules of the ZStor itself.
        const known = { minParity: 1, redundantNodes: 0, ...settings, spread: inputs.spread };
        expect(zstor.refine?.(known, (field) => field in known)).toEqual([]);
        expect(String(inputs.__urn)).toContain("zeroform:index:DispersedStore$");
    });

    it("lies on mounts where it is told to", async () => {
        const [alpha] = nodes("alpha");
        if (!alpha) throw new Error("there is no node");
        const mount = new ZMount("disk", { node: alpha, size: "20GiB" });
        const layout = { dataShards: 1, parityShards: 1, redundantGroups: 0, metadataSize: "64MiB" };
        const store = new DispersedStore("one", { node: alpha, places: { alpha: { mount, listen: "10.0.0.1" } }, size: "1GiB", ...layout });
        await settled(store.store.urn);
        expect(registered.get("one-alpha-2")?.inputs).toMatchObject({ mount: "machine-of-disk/tenant" });
        expect(registered.get("one-alpha-metadata")?.inputs).toMatchObject({ size: "64MiB" });
    });

    it("keeps its metadata where it is told to", async () => {
        const { e, ...places } = placesOn(["a2", "b2", "c2", "e"]);
        if (e === undefined) throw new Error("there is no place");
        const store = new DispersedStore("three", { node: e.node as Node, places, metadata: { front: e, ...places }, size: "1GiB" });
        await settled(store.store.urn);
        expect(Object.keys(store.metadata)).toEqual(["front", "a2", "b2", "c2"]);
        expect(Object.values(store.data).map((parts) => parts.length)).toEqual([3, 3, 3]);
        expect(registered.get("three-front-metadata")?.inputs).toMatchObject({ node: "machine-of-e/tenant", size: "1GiB" });
    });

    const node = () => nodes("alpha")[0];
    const listen = "10.0.0.1";
    it.each<[string, () => unknown, string]>([
        ["a list of places", () => [], "places must be an object of { node (or mount), listen } by name, not an array."],
        ["no place", () => undefined, "places must be an object of { node (or mount), listen } by name, not left out."],
        ["none in it", () => ({}), "places is empty: name each machine, as { node (or mount), listen }."],
        ["a Node for a place", () => ({ alpha: node() }), "places.alpha must be { node (or mount), listen }, not a Node."],
        ["nothing to lie on", () => ({ alpha: { listen } }), "places.alpha: give node or mount, and neither is there."],
        [
            "no address",
            () => ({ alpha: { node: node() } }),
            "places.alpha: listen is left out: give the IP address at which the front end reaches that machine.",
        ],
        [
            "something else",
            () => ({ alpha: { node: node(), listen, host: listen } }),
            "places.alpha: there is no host; it is { node (or mount), listen }.",
        ],
        [
            "too few of them",
            () => ({ alpha: { node: node(), listen } }),
            "redundantGroups: a loss of 1 of 1 places takes 6 of 6 shards, and parityShards 2 makes up for 2: name 3 places, or write other numbers.",
        ],
    ])("says what is wrong with %s", (_, places, sentence) => {
        expect(() => new DispersedStore("a", { node: node(), places: places(), size: "1GiB" } as never)).toThrow(
            `DispersedStore "a": ${sentence}`,
        );
    });

    it("says what is wrong with a size", () => {
        const places = placesOn(["a3", "b3", "c3"]);
        expect(() => new DispersedStore("b", { node: node(), places, size: "much" } as never)).toThrow(
            'DispersedStore "b": size: write a size',
        );
        expect(() => new DispersedStore("b", { node: node(), places, size: "1GiB", metadataSize: "some" } as never)).toThrow(
            'DispersedStore "b": metadataSize: write a size',
        );
    });
});
