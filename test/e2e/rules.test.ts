import { describe, expect, it } from "vitest";
import { primitives } from "../../schema/index.ts";
import { zeroform } from "./cli.ts";
import { host, hosts, type Machine, machineOf } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";

/** Arguments of the four resources, beside what every case has. */
interface Values {
    readonly machine: Machine;
    readonly other?: Machine;
    readonly node?: Record<string, unknown>;
    readonly disk?: Record<string, unknown>;
    readonly db?: Record<string, unknown>;
    readonly store?: Record<string, unknown>;
    readonly storeOn?: "node" | "other";
    /** Where the Zdb lies. */
    readonly on?: "mount" | "node";
    /** What the mount lies on. */
    readonly diskOn?: "node" | "other";
}

const program: Program<Values> = ({ zeroform }, { machine, other, node = {}, disk = {}, db = {}, store = {}, ...where }) => {
    const { on = "mount", diskOn = "node", storeOn = "node" } = where;
    const first = new zeroform.Node("node", { ...machine, trash: "0s", ...node });
    const second = other && new zeroform.Node("other", { ...other, trash: "0s" });
    const space = disk.device === undefined ? { size: "64MiB", ...disk } : { device: "", ...disk };
    const mount = new zeroform.ZMount("disk", { node: diskOn === "other" && second ? second : first, ...space });
    const place = on === "mount" ? { mount } : { node: first };
    const { url } = new zeroform.Zdb("db", { ...place, size: "8MiB", oversubscribe: true, ...db });
    if (!second || !other) return { url };
    const part = (name: string) =>
        new zeroform.Zdb(name, { node: second, size: "64MiB", oversubscribe: true, durability: "commit", listen: other.host });
    const backends = ["part-a", "part-b"].map((name) => ({ zdb: part(name), disk: name }));
    const layout = { backends, metadata: [part("meta")], dataShards: 1, parityShards: 1 };
    const { cache: size, ...others } = store;
    const cache = typeof size === "string" ? { cache: { mount, size } } : {};
    new zeroform.ZStor("store", { node: storeOn === "other" ? second : first, ...layout, ...cache, ...others });
    return { url };
};

type Op = "same" | "update" | "replace";
interface Case {
    readonly input: `${"Node" | "ZMount" | "Zdb" | "ZStor"}.${string}`;
    readonly change: Partial<Values>;
    /** What the preview shows for node, mount, Zdb and store; or what it is refused with. */
    readonly expected: readonly [node: Op, disk: Op, db: Op, store: Op] | RegExp;
    /** Run it for real, expect an empty preview afterwards, and go on from there. */
    readonly real?: boolean;
    /** What `up` says then, and `zeroform status` after it. */
    readonly says?: string;
}

const UNCHANGED = ["same", "same", "same", "same"] as const;
const NODE_ALONE = ["update", "same", "same", "same"] as const;
/** A change of how the node is reached goes into the state of everything on it, without contact. */
const EVERYWHERE = ["update", "update", "update", "update"] as const;
const DISK = ["same", "update", "same", "same"] as const;
const DB = ["same", "same", "update", "same"] as const;
const STORE = ["same", "same", "same", "update"] as const;
const node = (input: string, value: unknown): Pick<Case, "input" | "change"> => ({
    input: `Node.${input}`,
    change: { node: { [input]: value } },
});
const disk = (input: string, value: unknown): Pick<Case, "input" | "change"> => ({
    input: `ZMount.${input}`,
    change: { disk: { [input]: value } },
});
const db = (input: string, value: unknown): Pick<Case, "input" | "change"> => ({
    input: `Zdb.${input}`,
    change: { db: { [input]: value } },
});
const store = (input: string, value: unknown): Pick<Case, "input" | "change"> => ({
    input: `ZStor.${input}`,
    change: { store: { [input]: value } },
});
const namespace = (host: string) => `redis://another:password@${host}:9900`;

const cases = (machine: Machine, unpinned: Omit<Machine, "hostKey">): readonly Case[] => [
    { input: "Node.host", change: { machine: { ...machine, host: "10.199.255.254" } }, expected: EVERYWHERE },
    { ...node("port", 2222), expected: EVERYWHERE },
    { ...node("user", "nobody"), expected: EVERYWHERE },
    // The pinned key stays: what the program no longer says, the state keeps.
    { input: "Node.hostKey", change: { machine: unpinned as Machine }, expected: NODE_ALONE },
    { ...node("identityFile", "~/.ssh/other"), expected: EVERYWHERE },
    { ...node("privateKey", "a key"), expected: EVERYWHERE },
    { ...node("passphrase", "of the key"), expected: EVERYWHERE },
    { ...node("via", "admin@10.199.255.253"), expected: EVERYWHERE },
    { ...node("sudo", false), expected: EVERYWHERE },
    { ...node("onUnreachable", "abandon"), expected: EVERYWHERE },
    { ...node("trash", "48h"), expected: EVERYWHERE },
    { ...node("timeouts", { create: "1m" }), expected: NODE_ALONE },
    // All of it becomes another life; allowed because the program says that the machine is another one.
    { ...node("machine", "i-2"), expected: ["replace", "replace", "replace", "replace"] },
    { ...node("agentVersion", "9.9.9"), expected: NODE_ALONE },
    { ...node("installPackages", false), expected: EVERYWHERE, real: true },
    // Another node is not the same node on another machine: its data have to be given up in so many words.
    { input: "ZMount.node", change: { diskOn: "other" }, expected: /node .*replaceData: true/s },
    { ...disk("filesystem", "xfs"), expected: /at least 300MiB/ },
    { ...disk("pool", "/srv"), expected: DISK },
    { input: "ZMount.device", change: { disk: { device: "/dev/sdb", size: "64MiB" } }, expected: /leave size out with device/ },
    { ...disk("device", "/dev/sdb"), expected: /device .*replaceData: true/s },
    { ...disk("size", "96MiB"), expected: DISK, real: true },
    { ...disk("onRemove", "keep"), expected: DISK },
    { ...disk("replaceData", true), expected: DISK },
    { ...disk("timeouts", { update: "2m" }), expected: DISK, real: true },
    { input: "Zdb.node", change: { on: "node" }, expected: /mount.*replaceData: true/s },
    { ...db("mode", "seq"), expected: /mode.*replaceData: true/s },
    { ...db("size", "12MiB"), expected: DB, real: true },
    { ...db("password", "another-password"), expected: DB, real: true },
    { ...db("public", true), expected: DB, real: true },
    { ...db("oversubscribe", false), expected: DB },
    { ...db("worm", true), expected: DB },
    { ...db("access", "locked"), expected: DB },
    { ...db("durability", "interval 500ms"), expected: DB },
    { ...db("history", "age 24h"), expected: DB },
    { ...db("hook", "told"), expected: /hook: write hook as the absolute path/ },
    { ...db("tls", { certificate: "none", privateKey: "none" }), expected: /tls.certificate: write certificate as PEM/ },
    { ...db("listen", machine.host), expected: DB, real: true },
    { ...db("port", 9977), expected: DB, real: true },
    // Test hosts have no controllers, which is said and no failure.
    { ...db("limits", { memory: "512MiB", cpu: 0.5 }), expected: DB, real: true, says: "does not keep limits.memory and limits.cpu" },
    { ...db("limits", undefined), expected: DB, real: true },
    { ...db("onRemove", "keep"), expected: DB },
    { ...db("timeouts", { create: "2m" }), expected: DB },
    { ...db("replaceData", true), expected: DB, real: true },
    { input: "Zdb.mount", change: { on: "node" }, expected: ["same", "same", "replace", "same"], real: true },
    { input: "Zdb.size", change: { db: { size: "12MiB" } }, expected: UNCHANGED },
    { ...store("cache", "32MiB"), expected: STORE },
    { ...store("cache", "1MiB"), expected: /cacheSize: a cache has at least 16MiB/ },
    // Its data lie elsewhere: on another node it is found again.
    { input: "ZStor.node", change: { storeOn: "other" }, expected: ["same", "same", "same", "replace"], real: true },
    {
        ...store(
            "backends",
            ["a", "b"].map((host) => ({ url: namespace(host) })),
        ),
        expected: STORE,
    },
    { ...store("metadata", [namespace("a")]), expected: STORE },
    { ...store("dataShards", 2), expected: /dataShards 2 and parityShards 1 need 3 backends/ },
    { ...store("parityShards", 2), expected: /dataShards 1 and parityShards 2 need 3 backends/ },
    { ...store("redundantGroups", 1), expected: /the backends are in 1 groups; spread them over more/ },
    { ...store("redundantNodes", 1), expected: STORE },
    { ...store("minParity", 2), expected: /minParity is at most parityShards/ },
    { ...store("compression", false), expected: STORE, real: true },
    { ...store("secret", "a secret of the program"), expected: STORE },
    { ...store("scrub", "7d"), expected: STORE },
    { ...store("deadAfter", "1h"), expected: STORE },
    { ...store("timeouts", { create: "2m" }), expected: STORE },
];

describe("the change rule of every input", () => {
    it("is what the plan shows, and what happens", async () => {
        const on = await host();
        const [, second] = await hosts(2);
        if (!second) throw new Error("two hosts are needed");
        await using stack = await Stack.create();
        const { hostKey: _, ...unpinned } = machineOf(on);
        let base: Values = { machine: machineOf(on), other: machineOf(second), node: { machine: "i-1" } };
        await stack.program(program, base);
        await stack.up();
        const wrong: string[] = [];
        const table = cases(base.machine, unpinned);
        for (const { input, change, expected, real, says = "" } of table) {
            const changed = merged(base, change);
            await stack.program(program, changed);
            const outcome = await stack.run(["preview", "--json", "--show-sames"]);
            const shown = outcome.code === 0 ? planOf(outcome.stdout).join(" ") : outcome.output;
            const fits = expected instanceof RegExp ? outcome.code !== 0 && expected.test(shown) : shown === expected.join(" ");
            if (!fits) wrong.push(`${input}: expected ${expected}, the plan shows ${shown}`);
            if (!real) continue;
            const { output } = await stack.up();
            if (!output.includes(says)) wrong.push(`${input}: up does not say "${says}": ${output}`);
            if (says !== "" && !(await zeroform(base.machine, ["status"])).includes(says))
                wrong.push(`${input}: status does not say "${says}"`);
            const again = planOf((await stack.must(["preview", "--json", "--show-sames"])).stdout).join(" ");
            if (again !== UNCHANGED.join(" ")) wrong.push(`${input}: after up the preview shows ${again}`);
            base = changed;
        }
        expect(wrong).toEqual([]);
        await stack.program(program, base);
        await stack.refresh("--expect-no-changes");
        await stack.destroy();
        const declared = Object.entries(primitives).flatMap(([kind, { inputs }]) =>
            Object.entries(inputs).flatMap(([name, { visibility }]) => (visibility === "hidden" ? [] : [`${kind}.${name}`])),
        );
        expect([...new Set(table.map(({ input }) => input))].sort()).toEqual(declared.sort());
    }, 1_200_000);
});

const merged = (base: Values, change: Partial<Values>): Values => ({
    ...base,
    ...change,
    node: { ...base.node, ...change.node },
    disk: { ...base.disk, ...change.disk },
    db: { ...base.db, ...change.db },
    store: { ...base.store, ...change.store },
});

const planOf = (json: string): readonly (string | undefined)[] => {
    const { steps } = JSON.parse(json) as { steps: { op: string; urn: string }[] };
    return ["node", "disk", "db", "store"].map((name) => {
        const own = steps.filter(({ urn }) => urn.endsWith(`::${name}`)).map(({ op }) => op);
        return own.includes("replace") ? "replace" : own[0];
    });
};
