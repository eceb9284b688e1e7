import type { HostInfo } from "../../dev/hosts/index.ts";
import type { Outcome } from "../../provider/lifecycle/operations.ts";
import type { Properties } from "../../provider/lifecycle/values.ts";
import type { Kind } from "../../schema/index.ts";
import { machineOf } from "../../test/e2e/hosts.ts";
import { ProviderRun } from "../../test/faults/provider-run.ts";
import { seconds } from "./cost.ts";
import { cpuOf } from "./watch.ts";

/** The first one installs the agent; the second shows what a run costs. */
const ROUNDS = 2;
/** What the CLI asks of each of three nodes on a machine of two cores, and far more. */
const AT_ONCE: readonly number[] = [3, 100];

const URN = "urn:pulumi:test::bench::pulumi-nodejs:dynamic/zeroform:";

/** What creates, reads and removals of Zdbs cost without the CLI: the lifecycle core over real SSH, so many at a time. */
export const measureCore = async (host: HostInfo, resources: number): Promise<void> => {
    const rows: Record<string, Record<string, string>> = {};
    for (const atOnce of AT_ONCE)
        for (let round = 1; round <= ROUNDS; round++)
            for (const [phase, row] of Object.entries(await lifeOf(host, resources, atOnce))) rows[`${phase}, ${atOnce} at once`] = row;
    console.table(rows);
};

const lifeOf = async (host: HostInfo, resources: number, atOnce: number): Promise<Record<string, Record<string, string>>> => {
    const machine = machineOf(host);
    const { hostKey, ...connection } = machine;
    const made = new Map<number, Outcome>();
    const rows: Record<string, Record<string, string>> = {};
    const make = (run: ProviderRun, kind: Kind, news: Properties) => {
        const { inputs } = run.of(kind).check({}, news);
        return run.of(kind).create(inputs);
    };
    const node = await inRun((run) => make(run, "Node", { ...machine, __urn: `${URN}Node::node` }));
    const zdb = (index: number) => ({
        node: node.id,
        connection: { ...connection, hostKey },
        nodeUrn: `${URN}Node::node`,
        size: "4MiB",
        __urn: `${URN}Zdb::store-${index}`,
    });
    const phase = (name: string, act: (run: ProviderRun, index: number) => Promise<unknown>) =>
        inRun(async (run) => {
            // Server and connection are there.
            if (name === "create") made.set(-1, await make(run, "Zdb", zdb(-1)));
            rows[name] = await measured(host, () => together(resources, atOnce, (index) => act(run, index)));
        });
    const idOf = (index: number): Outcome => made.get(index) ?? { id: "", outputs: {}, reasons: [] };

    await phase("create", async (run, index) => made.set(index, await make(run, "Zdb", zdb(index))));
    await phase("read", (run, index) => run.of("Zdb").read(idOf(index).id, idOf(index).outputs));
    await phase("delete", (run, index) => run.of("Zdb").delete(idOf(index).id, idOf(index).outputs));
    await inRun(async (run) => {
        await run.of("Zdb").delete(idOf(-1).id, idOf(-1).outputs);
        await run.of("Node").delete(node.id, node.outputs);
    });
    return rows;
};

const inRun = async <T>(work: (run: ProviderRun) => Promise<T>): Promise<T> => {
    const run = new ProviderRun();
    try {
        return await work(run);
    } finally {
        await run[Symbol.asyncDispose]();
    }
};

const together = async (count: number, atOnce: number, act: (index: number) => Promise<unknown>): Promise<void> => {
    let next = 0;
    const worker = async () => {
        while (next < count) await act(next++);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
};

const measured = async (host: HostInfo, act: () => Promise<void>): Promise<Record<string, string>> => {
    const [before, own, started] = [await cpuOf([host]), process.cpuUsage(), performance.now()];
    await act();
    const wall = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(own);
    const after = await cpuOf([host]);
    return {
        wall: seconds(wall),
        "CPU of the agent": seconds(after.agent - before.agent),
        server: seconds(Math.max(0, after.engines - before.engines)),
        "all of the host": seconds(after.all - before.all),
        caller: seconds((user + system) / 1e6),
    };
};
