import { expect, it } from "vitest";
import { z } from "zod";
import { primitive, replace, update } from "../schema/primitive.ts";
import type { Args } from "./args.ts";
import type { Node, ZdbArgs, ZMount, ZMountArgs } from "./index.ts";

// What the type checker refuses is the test: each line below is an error that has to stay one.

it("an input without a change rule is a type error", () => {
    const declared = primitive({
        kind: "Thing",
        summary: "",
        bearsData: false,
        inputs: {
            good: update(z.string()),
            // @ts-expect-error a bare schema says nothing of what a change means
            bad: z.string(),
        },
        outputs: {},
    });
    expect(declared.kind).toBe("Thing");
    // @ts-expect-error a replacement says why
    expect(replace(z.string()).change).toEqual({ rule: "replace", because: undefined });
});

it("arguments are required, optional and known as the schema says", () => {
    const node = undefined as unknown as Node;
    const mount = undefined as unknown as ZMount;
    const zmounts: ZMountArgs[] = [
        { node, size: "20GiB" },
        { node, size: Promise.resolve(20), pool: undefined, onRemove: "keep" },
        { node, device: "/dev/sdb", filesystem: "xfs" },
        // @ts-expect-error size or device is required
        { node },
        // @ts-expect-error and only one of them
        { node, size: "20GiB", device: "/dev/sdb" },
        // @ts-expect-error a device is no part of a pool
        { node, device: "/dev/sdb", pool: "/srv" },
        // @ts-expect-error node is required
        { size: "20GiB" },
        // @ts-expect-error there is no such key
        { node, size: "20GiB", colour: "red" },
        // @ts-expect-error hidden inputs are not the program's
        { node, size: "20GiB", connection: { host: "x" } },
        // @ts-expect-error a choice is one of its values
        { node, size: "20GiB", onRemove: "burn" },
    ];
    const zdbs: ZdbArgs[] = [
        { node, size: 1 },
        { mount, size: 1, password: "given-password" },
        // @ts-expect-error node or mount is required
        { size: 1 },
        // @ts-expect-error and only one of them
        { node, mount, size: 1 },
    ];
    expect(zmounts.length + zdbs.length).toBe(14);
});

it("arguments follow the schema of any primitive", () => {
    const thing = primitive({ kind: "Thing", summary: "", bearsData: false, inputs: { good: update(z.number().optional()) }, outputs: {} });
    const args: Args<typeof thing>[] = [
        {},
        { good: 1 },
        // @ts-expect-error of the schema's own type
        { good: "1" },
    ];
    expect(args).toHaveLength(3);
});
