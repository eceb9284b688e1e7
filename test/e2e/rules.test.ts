import { describe, expect, it } from "vitest";
import { primitives } from "../../schema/index.ts";
import { host, hosts, type Machine, machineOf } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";

/** Arguments of the three resources, beside what every case has. */
interface Values {
    readonly machine: Machine;
    readonly other?: Machine;
    readonly node?: Record<string, unknown>;
    readonly disk?: Record<string, unknown>;
    readonly db?: Record<string, unknown>;
    /** Where the Zdb lies. */
    readonly on?: "mount" | "node";
    /** What the mount lies on. */
    readonly diskOn?: "node" | "other";
}

const program: Program<Values> = ({ zeroform }, { machine, other, node = {}, disk = {}, db = {}, on = "mount", diskOn = "node" }) => {
    const first = new zeroform.Node("node", { ...machine, trash: "0s", ...node });
    const second = other && new zeroform.Node("other", { ...other, trash: "0s" });
    const mount = new zeroform.ZMount("disk", { node: diskOn === "other" && second ? second : first, size: "64MiB", ...disk });
    const place = on === "mount" ? { mount } : { node: first };
    const store = new zeroform.Zdb("db", { ...place, size: "8MiB", ...db });
    return { url: store.url };
};

type Op = "same" | "update" | "replace" | "refused";
interface Case {
    readonly kind: "Node" | "ZMount" | "Zdb";
    readonly input: string;
    readonly change: Partial<Values>;
    /** What the preview shows for node, mount and store. */
    readonly expected: { readonly node: Op; readonly disk: Op; readonly db: Op } | RegExp;
    /** Run it for real, expect an empty preview afterwards, and go on from there. */
    readonly real?: boolean;
    /** Put it back after it was real. */
    readonly back?: boolean;
}

const unchanged = { node: "same", disk: "same", db: "same" } as const;
/** A change of how the node is reached goes into the state of everything on it, without contact. */
const everywhere = { node: "update", disk: "update", db: "update" } as const;
/** All of it becomes another life; allowed because the program says that the machine is another one. */
const anew = { node: "replace", disk: "replace", db: "replace" } as const;
const inNode = (input: string, value: unknown): Partial<Values> => ({ node: { [input]: value } });

const cases = (machine: Machine): readonly Case[] => [
    {
        kind: "Node",
        input: "host",
        change: { machine: { ...machine, host: `0${machine.host}`.slice(1).replace(/^(\d+)/, (first) => first) } },
        expected: unchanged,
    },
    { kind: "Node", input: "port", change: inNode("port", 2222), expected: everywhere },
    { kind: "Node", input: "user", change: inNode("user", "dev"), expected: everywhere, real: true, back: true },
    { kind: "Node", input: "hostKey", change: inNode("hostKey", undefined), expected: { node: "update", disk: "same", db: "same" } },
    { kind: "Node", input: "identityFile", change: inNode("identityFile", "~/.ssh/other"), expected: everywhere },
    { kind: "Node", input: "privateKey", change: inNode("privateKey", "a key"), expected: everywhere },
    { kind: "Node", input: "sudo", change: inNode("sudo", false), expected: everywhere, real: true, back: true },
    { kind: "Node", input: "onUnreachable", change: inNode("onUnreachable", "abandon"), expected: everywhere, real: true },
    { kind: "Node", input: "installPackages", change: inNode("installPackages", false), expected: everywhere, real: true },
    { kind: "Node", input: "trash", change: inNode("trash", "48h"), expected: everywhere },
    {
        kind: "Node",
        input: "timeouts",
        change: inNode("timeouts", { create: "1m" }),
        expected: { node: "update", disk: "same", db: "same" },
        real: true,
    },
    { kind: "Node", input: "machine", change: inNode("machine", "i-2"), expected: anew },
    {
        kind: "Node",
        input: "agentVersion",
        change: inNode("agentVersion", "9.9.9"),
        expected: { node: "update", disk: "same", db: "same" },
    },
    { kind: "ZMount", input: "node", change: { diskOn: "other" }, expected: /disk.*node.*replaceData: true/s },
    {
        kind: "ZMount",
        input: "size",
        change: { disk: { size: "96MiB" } },
        expected: { node: "same", disk: "update", db: "same" },
        real: true,
    },
    { kind: "ZMount", input: "filesystem", change: { disk: { filesystem: "xfs" } }, expected: /filesystem/ },
    { kind: "ZMount", input: "pool", change: { disk: { pool: "/srv" } }, expected: /pool.*replaceData: true/s },
    {
        kind: "ZMount",
        input: "onRemove",
        change: { disk: { onRemove: "keep" } },
        expected: { node: "same", disk: "update", db: "same" },
        real: true,
    },
    {
        kind: "ZMount",
        input: "replaceData",
        change: { disk: { replaceData: true } },
        expected: { node: "same", disk: "update", db: "same" },
        real: true,
    },
    {
        kind: "ZMount",
        input: "timeouts",
        change: { disk: { timeouts: { update: "2m" } } },
        expected: { node: "same", disk: "update", db: "same" },
        real: true,
    },
    { kind: "Zdb", input: "node", change: { on: "node" }, expected: /mount.*replaceData: true/s },
    {
        kind: "Zdb",
        input: "mount",
        change: { on: "node", db: { replaceData: true } },
        expected: { node: "same", disk: "same", db: "replace" },
        real: true,
    },
    { kind: "Zdb", input: "size", change: { db: { size: "12MiB" } }, expected: { node: "same", disk: "same", db: "update" }, real: true },
    { kind: "Zdb", input: "mode", change: { db: { mode: "seq" } }, expected: /mode.*replaceData: true/s },
    {
        kind: "Zdb",
        input: "password",
        change: { db: { password: "another-password" } },
        expected: { node: "same", disk: "same", db: "update" },
        real: true,
    },
    { kind: "Zdb", input: "public", change: { db: { public: true } }, expected: { node: "same", disk: "same", db: "update" }, real: true },
    {
        kind: "Zdb",
        input: "listen",
        change: { db: { listen: machine.host } },
        expected: { node: "same", disk: "same", db: "update" },
        real: true,
    },
    { kind: "Zdb", input: "port", change: { db: { port: 9977 } }, expected: { node: "same", disk: "same", db: "update" }, real: true },
    {
        kind: "Zdb",
        input: "onRemove",
        change: { db: { onRemove: "keep" } },
        expected: { node: "same", disk: "same", db: "update" },
        real: true,
    },
    {
        kind: "Zdb",
        input: "replaceData",
        change: { db: { replaceData: true } },
        expected: { node: "same", disk: "same", db: "update" },
        real: true,
    },
    {
        kind: "Zdb",
        input: "timeouts",
        change: { db: { timeouts: { create: "2m" } } },
        expected: { node: "same", disk: "same", db: "update" },
        real: true,
    },
];

describe("the change rule of every input", () => {
    it("is what the plan shows, and what happens", async () => {
        const on = await host();
        const [, second] = await hosts(2);
        if (!second) throw new Error("two hosts are needed");
        await using stack = await Stack.create();
        let base: Values = { machine: machineOf(on), other: machineOf(second), node: { machine: "i-1" } };
        await stack.program(program, base);
        await stack.up();
        const wrong: string[] = [];
        const table = cases(base.machine);
        for (const { kind, input, change, expected, real, back } of table) {
            const changed = merged(base, change);
            await stack.program(program, changed);
            const outcome = await stack.run(["preview", "--json", "--show-sames"]);
            const shown = outcome.code === 0 ? planOf(outcome.stdout) : outcome.output;
            const fits =
                expected instanceof RegExp
                    ? typeof shown === "string" && expected.test(shown)
                    : JSON.stringify(shown) === JSON.stringify(expected);
            if (!fits)
                wrong.push(
                    `${kind}.${input}: expected ${expected instanceof RegExp ? expected : JSON.stringify(expected)}, the plan shows ${JSON.stringify(shown)}`,
                );
            if (!real) continue;
            await stack.up();
            const again = await stack.plan();
            const noise = Object.entries(again).filter(([, op]) => op !== "same");
            if (noise.length > 0) wrong.push(`${kind}.${input}: after up the preview shows ${JSON.stringify(noise)}`);
            if (!back) base = changed;
            else {
                await stack.program(program, base);
                await stack.up();
            }
        }
        await stack.program(program, base);
        expect(wrong).toEqual([]);
        await stack.refresh("--expect-no-changes");
        await stack.destroy();
        const declared = Object.entries(primitives).flatMap(([kind, { inputs }]) =>
            Object.entries(inputs)
                .filter(([, { visibility }]) => visibility !== "hidden")
                .map(([input]) => `${kind}.${input}`),
        );
        expect(table.map(({ kind, input }) => `${kind}.${input}`).sort()).toEqual(declared.sort());
    });
});

const merged = (base: Values, change: Partial<Values>): Values => ({
    ...base,
    ...change,
    node: { ...base.node, ...change.node },
    disk: { ...base.disk, ...change.disk },
    db: { ...base.db, ...change.db },
});

const planOf = (json: string) => {
    const { steps } = JSON.parse(json) as { steps: { op: string; urn: string }[] };
    const op = (name: string) => {
        const own = steps.filter(({ urn }) => urn.endsWith(`::${name}`)).map(({ op }) => op);
        return own.includes("replace") ? "replace" : own[0];
    };
    return { node: op("node"), disk: op("disk"), db: op("db") };
};
