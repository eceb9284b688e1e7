import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostInfo } from "../../dev/hosts/index.ts";
import type { AgentEvent } from "../../protocol/api.ts";
import { AgentSession } from "./agent.ts";
import { run, start, ZEROFORM } from "./command.ts";
import { hosts, type Machine, machineOf, sh, until } from "./hosts.ts";
import { expositionOf } from "./prometheus.ts";
import { type Program, Stack } from "./stack.ts";

interface Values {
    readonly alpha: Machine;
    readonly beta: Machine;
    readonly size: string;
}
const program: Program<Values> = ({ zeroform }, { alpha, beta, size }) => {
    const one = new zeroform.Node("alpha", alpha);
    const disk = new zeroform.ZMount("disk", { node: one, size: "192MiB" });
    new zeroform.Zdb("events", { mount: disk, size, password: "open-sesame-of-the-cli" });
    new zeroform.Zdb("others", { mount: disk, size: "8MiB" });
    const two = new zeroform.Node("beta", beta);
    new zeroform.ZMount("disk-two", { node: two, size: "32MiB" });
    return undefined;
};

let [one, two]: (HostInfo | undefined)[] = [];
let stack: Stack;
const alpha = () => {
    if (one === undefined) throw new Error("there are no hosts");
    return one;
};
const beta = () => {
    if (two === undefined) throw new Error("there are no hosts");
    return two;
};
const values = (size: string): Values => ({ alpha: machineOf(alpha()), beta: machineOf(beta()), size });
const lifeOf = async (name: string): Promise<string> => (await stack.resource(name)).id?.split("/")[2] ?? "";
/** Processes of a host by what their command line has. */
const count = async (pattern: string): Promise<number> => Number(await sh(alpha(), `pgrep -fc '${pattern}' || true`));

beforeAll(async () => {
    [one, two] = await hosts(2);
    stack = await Stack.create();
    stack.secrets.push("open-sesame-of-the-cli");
    await stack.program(program, values("8MiB"));
    await stack.up();
});
afterAll(async () => {
    await stack?.destroy();
    await stack?.[Symbol.asyncDispose]();
});

describe("zeroform logs", () => {
    test("shows what the services and mounts of a resource wrote, and says who shares its server", async () => {
        const server = await run(stack, "logs", "events");
        expect(server).toMatchObject({ code: 0 });
        expect(server.stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z {2}ready$/m);
        expect(server.stderr).toContain('Zdb "events" on alpha shares its server, and this log, with others.');
        const mount = await run(stack, "logs", await lifeOf("disk"), "--json");
        const lines = mount.stdout
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line) as Record<string, unknown>);
        expect(new Set(lines.map(({ unit }) => unit)).size).toBe(2);
        expect(lines[0]).toEqual({
            at: expect.any(String),
            unit: expect.any(String),
            priority: expect.any(Number),
            message: expect.any(String),
            node: "alpha",
        });
    });

    test("takes so many lines, and what is younger", async () => {
        expect((await run(stack, "logs", "events", "-n", "1")).stdout.trim().split("\n")).toHaveLength(1);
        expect((await run(stack, "logs", "events", "--since", "2100-01-01T00:00:00Z")).stdout).toBe("");
        expect((await run(stack, "logs", "events", "--since", "1h")).stdout).not.toBe("");
    });

    test("follows until it is told to stop, and leaves nothing running on the node", async () => {
        const following = start(stack, "node", [ZEROFORM, "logs", "events", "-f", "-n", "1"]);
        await following.says(/\n/);
        expect(await count("^journalctl .*--follow")).toBe(1);
        const unit = await sh(alpha(), "systemctl list-units --plain --no-legend 'zeroform-zdb@*' | cut -d' ' -f1");
        await sh(alpha(), `systemctl restart '${unit}'`);
        await following.says(/Started/);
        following.child.kill("SIGINT");
        await following.ended;
        await until(async () => ((await count("^journalctl .*--follow")) === 0 ? true : undefined));
    });

    test("has the agent's log, of a machine whose agent is down as well", async () => {
        await sh(alpha(), "systemctl stop zeroform-agent");
        try {
            const agent = await run(stack, "logs", "alpha", "-n", "5");
            expect(agent.stdout).toContain("Stopped");
            expect((await run(stack, "logs", "events", "-n", "5")).stdout).not.toBe("");
        } finally {
            await sh(alpha(), "systemctl start zeroform-agent");
        }
    });

    test("asks which is meant, or says that there is none", async () => {
        const several = await run(stack, "logs", "agent");
        expect(several.code).toBe(1);
        expect(several.stderr).toContain("zeroform logs agent@alpha");
        expect(several.stderr).toContain("zeroform logs agent@beta");
        expect((await run(stack, "logs", "agent@beta", "-n", "1")).code).toBe(0);
        expect((await run(stack, "logs", "nothing")).stderr).toContain('there is no "nothing" on alpha, beta');
    });
});

describe("zeroform shell", () => {
    test("passes on input, output, error and status of a command as they are", async () => {
        const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 128));
        const shell = start(stack, "node", [ZEROFORM, "shell", "alpha", "cat; echo aside >&2; exit 7"], bytes);
        expect(await shell.ended).toEqual({ code: 7, stdout: bytes.toString("utf8"), stderr: "aside\n" });
        expect((await run(stack, "shell", "alpha", "kill -TERM $$")).code).toBe(143);
        expect((await run(stack, "shell", "alpha", "kill -USR1 $$")).code).toBe(138);
        expect((await run(stack, "shell", alpha().address, "--", "hostname")).stdout.trim()).toBe(alpha().name);
    });

    test("gives a terminal of the right size, and the shell's exit status", async () => {
        const line = `stty rows 33 cols 101; node ${ZEROFORM} shell alpha; echo "ended $?"`;
        const shell = start(stack, "script", ["-qec", line, "/dev/null"], "stty size; tty; exit 5\n");
        const { stdout } = await shell.ended;
        expect(stdout).toContain("33 101");
        expect(stdout).toMatch(/\/dev\/pts\/\d+/);
        expect(stdout).toContain("ended 5");
    });

    test("ends with 255 where no node is reached", async () => {
        expect((await run(stack, "shell", "--host-key", machineOf(beta()).hostKey, "alpha", "true")).code).toBe(255);
        expect((await run(stack, "shell", "--stack", "test", "gamma", "true")).stderr).toContain('the stack test has no Node "gamma"');
        const sealed = { PULUMI_CONFIG_PASSPHRASE: "another" };
        const { code, stderr } = await start(stack, "node", [ZEROFORM, "shell", "alpha", "true"], "", sealed).ended;
        expect({ code, stderr }).toEqual({ code: 255, stderr: expect.stringContaining("alpha is taken for an address: ") });
        expect(stderr).toContain("incorrect passphrase");
    });
});

describe("zeroform doctor", () => {
    test("shows each requirement of a node, what it would install, and says what failed", async () => {
        const { code, stdout } = await run(stack, "doctor", "alpha", "--json");
        const [{ about, checks } = { about: "", checks: [] }] = JSON.parse(stdout) as readonly Report[];
        expect({ code, about }).toEqual({ code: 0, about: "alpha" });
        const found = new Map(checks.map((check) => [check.what, check]));
        for (const what of [
            "SSH",
            "system",
            "architecture",
            "kernel",
            "systemd",
            "glibc",
            "cgroup v2",
            "/var/lib/zeroform",
            "programs",
            "agent",
            "clock",
        ])
            expect(found.get(what), what).toMatchObject({ state: "ok" });
        expect(found.get("agent")?.found).toMatch(/^\d+\.\d+\.\d+, 3 resources$/);

        await sh(beta(), "chmod 0000 /usr/bin/gunzip; mv /usr/bin/gunzip /usr/bin/gunzip.away");
        try {
            const lacking = await run(stack, "doctor", "beta");
            expect(lacking.code).toBe(1);
            expect(lacking.stdout).toMatch(/failed +programs +.*gunzip\n +-> Install /);
        } finally {
            await sh(beta(), "mv /usr/bin/gunzip.away /usr/bin/gunzip; chmod 0755 /usr/bin/gunzip");
        }
    });

    test("checks the operator's own machine and project", async () => {
        const { stdout } = await run(stack, "doctor", "--json");
        const [{ checks } = { checks: [] }] = JSON.parse(stdout) as readonly Report[];
        const states = Object.fromEntries(checks.map(({ what, state }) => [what, state]));
        expect(states).toMatchObject({
            "Node.js": "ok",
            pulumi: "ok",
            "pulumi-language-nodejs": "ok",
            "@pulumi/pulumi": "ok",
            "agent bundle": "ok",
        });
        const bare = await start(stack, process.execPath, [ZEROFORM, "doctor"], "", { PATH: "/nowhere" }).ended;
        expect(bare.code).toBe(1);
        expect(bare.stdout).toMatch(/failed +pulumi +not on PATH\n +-> Get it from/);
    });
});

interface Report {
    readonly about: string;
    readonly checks: readonly { readonly what: string; readonly state: string; readonly found: string }[];
}

describe("zeroform metrics", () => {
    test("is text that Prometheus reads, with figures of agents and engines", async () => {
        const { code, stdout } = await run(stack, "metrics");
        expect(code).toBe(0);
        const metrics = expositionOf(stdout);
        expect(metrics.value("zeroform_up", { node: "alpha" })).toBe(1);
        expect(metrics.value("zeroform_zdb_limit_bytes", { name: "events" })).toBe(8 * 2 ** 20);
        expect(metrics.value("zeroform_zdb_operations_total", { name: "events", operation: "write" })).toBe(0);
        expect(metrics.value("zeroform_zdb_operation_duration_seconds_bucket", { name: "events", operation: "write", le: "+Inf" })).toBe(0);
        expect(metrics.value("zeroform_zdb_fsync_duration_seconds_count", { name: "events" })).toBeGreaterThanOrEqual(0);
        expect(metrics.value("zeroform_zdb_log_dead_bytes", { name: "events" })).toBeGreaterThanOrEqual(0);
        expect(metrics.value("zeroform_zmount_size_bytes", { name: "disk-two", node: "beta" })).toBe(32 * 2 ** 20);
        expect(metrics.value("zeroform_zmount_used_bytes", { name: "disk" })).toBeGreaterThan(0);
        expect(metrics.value("zeroform_zdb_server_up", { node: "alpha" })).toBe(1);
        expect(metrics.value("zeroform_resource_ready", { name: "others" })).toBe(1);
        expect(metrics.value("zeroform_operation_duration_seconds_count", { method: "resource.create", node: "beta", result: "ok" })).toBe(
            1,
        );
        expect(metrics.value("zeroform_sweep_duration_seconds_count", { node: "beta" })).toBeGreaterThan(0);
        expect(metrics.value("zeroform_agent_resident_memory_bytes", { node: "beta" })).toBeGreaterThan(1e6);
        const own = expositionOf(`${await sh(alpha(), "/var/lib/zeroform/current/zeroform-agent metrics")}\n`);
        expect(own.value("zeroform_up", {})).toBe(1);
    });

    test("a server that hangs is down, and the rest is there", async () => {
        const pid = await sh(alpha(), "systemctl show --property MainPID --value 'zeroform-zdb@*'");
        await using session = new AgentSession(alpha());
        // Else the agent would rightly restart it.
        await session.request("reconciler.pause", {});
        await sh(alpha(), `kill -STOP ${pid}`);
        try {
            const metrics = expositionOf((await run(stack, "metrics", "alpha")).stdout);
            expect(metrics.value("zeroform_zdb_server_up", {})).toBe(0);
            expect(metrics.value("zeroform_zmount_used_bytes", { name: "disk" })).toBeGreaterThan(0);
            expect(metrics.value("zeroform_collector_success", { collector: "Zdb" })).toBe(1);
        } finally {
            await sh(alpha(), `kill -CONT ${pid}`);
        }
    });
});

describe("zeroform events", () => {
    test("tell what was made and what was changed, and are followed over a restart of the agent", async () => {
        const before = JSON.parse((await run(stack, "events", "events", "--json")).stdout) as readonly (AgentEvent & { node: string })[];
        expect(before.map(({ what, detail, node }) => `${node} ${what} ${detail}`)).toContainEqual(
            expect.stringMatching(/^alpha made Zdb: size 8MiB, .*port \d+/),
        );
        const following = start(stack, "node", [ZEROFORM, "events", "events", "-f", "-n", "1"]);
        await following.says(/\n/);
        await sh(alpha(), "systemctl restart zeroform-agent");
        await stack.program(program, values("16MiB"));
        await stack.up();
        await following.says(/alpha {2}changed {2}events {2}Zdb: size 8MiB -> 16MiB\n/);
        following.child.kill("SIGINT");
        await following.ended;
        expect((await run(stack, "events", "alpha")).stdout).toMatch(/changed +events +Zdb: size 8MiB -> 16MiB/);
        expect((await run(stack, "events", "beta")).stdout).not.toContain("events");
    });
});
