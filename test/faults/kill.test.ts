import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { parseResourceId } from "../../protocol/ids.ts";
import { PROCESS_TITLE } from "../../provider/dynamic/process.ts";
import { AgentSession } from "../e2e/agent.ts";
import { expectNothingLeft, host, type Machine, machineOf, until } from "../e2e/hosts.ts";
import { type Program, Stack } from "../e2e/stack.ts";

const ROUNDS = Number(process.env.ZEROFORM_KILL_ROUNDS ?? 8);
const seed = Number(process.env.ZEROFORM_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** What a killed CLI's provider may take to notice and go. */
const PROVIDER_GONE_MS = 5_000;

const program: Program<{ machine: Machine; size: string }> = ({ zeroform }, { machine, size }) => {
    const node = new zeroform.Node("node", { ...machine, trash: "0s" });
    const keep = new zeroform.Zdb("keep", { node, size: "8MiB", listen: machine.host, port: 9971 });
    const disk = new zeroform.ZMount("disk", { node, size });
    new zeroform.Zdb("one", { mount: disk, size: "8MiB" });
    new zeroform.Zdb("two", { mount: disk, size: "8MiB" });
    return { url: keep.url };
};

describe(`kill -9 of the CLI at ${ROUNDS} random moments (ZEROFORM_SEED=${seed})`, () => {
    it("leaves nothing that the next run does not put right, and loses no data", async () => {
        const random = mulberry32(seed);
        const on = await host();
        await using stack = await Stack.create();
        const machine = machineOf(on);
        let sizeMiB = 32;
        await stack.program(program, { machine, size: `${sizeMiB}MiB` });
        let acknowledged = await put(stack, 0);

        for (let round = 1; round <= ROUNDS; round++) {
            const operation = (["update", "destroy", "up"] as const)[round % 3] ?? "up";
            const label = `round ${round}, ${operation}`;
            if (operation === "up") {
                await stack.destroy();
                acknowledged = undefined;
            }
            if (operation === "update") {
                sizeMiB += 16;
                await stack.program(program, { machine, size: `${sizeMiB}MiB` });
            }
            const run = stack.start([operation === "destroy" ? "destroy" : "up", "--skip-preview"]);
            await Promise.race([sleep(random() * 6_000), run.ended]);
            run.child.kill("SIGKILL");
            await run.ended;
            await until(async () => ((await providersOf(stack)).length === 0 ? true : undefined), PROVIDER_GONE_MS).catch(async () => {
                throw new Error(`${label}: ${await providersOf(stack)} still there after ${PROVIDER_GONE_MS} ms`);
            });

            await stack.run(["cancel"]);
            // A destroy that was killed may have taken anything: a refresh says what is there.
            if (operation === "destroy") {
                await stack.refresh("--clear-pending-creates");
                acknowledged = (await hasKeep(stack)) ? acknowledged : undefined;
            }
            await stack.up();
            await stack.refresh("--clear-pending-creates");
            expect(Object.values(await stack.plan()), label).toEqual(["same", "same", "same", "same", "same"]);
            await assertNoOrphan(stack, on, label);
            if (acknowledged) expect(await withStore(stack, (client) => client.get("key")), label).toBe(acknowledged);
            acknowledged = await put(stack, round);
        }
        await stack.destroy();
        await expectNothingLeft(on);
    });
});

const put = async (stack: Stack, round: number): Promise<string | undefined> => {
    await stack.up();
    await withStore(stack, (client) => client.set("key", `value ${round}`));
    return `value ${round}`;
};

const hasKeep = async (stack: Stack): Promise<boolean> => (await stack.state()).some(({ urn }) => urn.endsWith("::keep"));

/** The node has exactly the lives that the state has, each of them ready. */
const assertNoOrphan = async (stack: Stack, on: ConstructorParameters<typeof AgentSession>[0], label: string): Promise<void> => {
    await using agent = new AgentSession(on);
    const { resources, tenants } = await agent.status();
    const known = (await stack.state()).flatMap(({ id }) => parseResourceId(id ?? "")?.life ?? []);
    expect(resources.map(({ life }) => life).sort(), label).toEqual(known.sort());
    expect(tenants, label).toHaveLength(1);
    expect(
        resources.every(({ state }) => state === "ready"),
        label,
    ).toBe(true);
};

const withStore = async <T>(stack: Stack, use: (client: Redis) => Promise<T>): Promise<T> => {
    const client = new Redis(await stack.revealed<string>("url"));
    try {
        return await use(client);
    } finally {
        client.disconnect();
    }
};

/** Provider processes of ours that work in the stack's project; one that was killed before it loaded us is Pulumi's. */
const providersOf = async (stack: Stack): Promise<readonly string[]> => {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const found = await Promise.all(
        pids.map(async (pid) => {
            const [command, cwd] = await Promise.all([readFile(`/proc/${pid}/cmdline`, "utf8"), readlink(`/proc/${pid}/cwd`)]).catch(() => [
                "",
                "",
            ]);
            return command.startsWith(PROCESS_TITLE) && cwd.startsWith(stack.directory) ? [pid] : [];
        }),
    );
    return found.flat();
};

/** A small repeatable generator, so that a printed seed is enough to see the same moments again. */
const mulberry32 = (start: number) => {
    let state = start;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
};
