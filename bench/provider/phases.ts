import type { HostInfo } from "../../dev/hosts/index.ts";
import { Stack } from "../../test/e2e/stack.ts";
import { childrenCpu, cpuOf, type HostCpu, type LocalUse, watchProcesses } from "./watch.ts";

export const PHASES = ["up", "preview", "refresh", "destroy"] as const;
export type Phase = (typeof PHASES)[number];

export interface Measured {
    readonly seconds: number;
    /** What the processes here used of it, by who they are. */
    readonly here: LocalUse;
    /** CPU seconds of the CLI and everything that it started here. */
    readonly localCpu: number;
    /** CPU seconds of all hosts together. */
    readonly cpu: HostCpu;
}

export type Run = Readonly<Record<Phase, Measured>>;

/** A life of a stack: everything is made, nothing is changed, everything is looked at, everything is removed. */
export const lifeOf = async (stack: Stack, hosts: readonly HostInfo[]): Promise<Run> => {
    const run: Partial<Record<Phase, Measured>> = {};
    for (const phase of PHASES) run[phase] = await measured(stack, hosts, COMMANDS[phase]);
    return run as Run;
};

const COMMANDS: Readonly<Record<Phase, readonly string[]>> = {
    up: ["up", "--skip-preview"],
    preview: ["preview", "--expect-no-changes"],
    refresh: ["refresh", "--skip-preview", "--expect-no-changes"],
    destroy: ["destroy", "--skip-preview"],
};

export const measured = async (stack: Stack, hosts: readonly HostInfo[], command: readonly string[]): Promise<Measured> => {
    const before = await cpuOf(hosts);
    const watched = watchProcesses(stack.directory);
    const childrenBefore = await childrenCpu();
    const started = performance.now();
    try {
        await stack.must(command);
    } catch (failure) {
        await watched();
        throw failure;
    }
    const seconds = (performance.now() - started) / 1000;
    const here = await watched();
    const after = await cpuOf(hosts);
    const localCpu = (await childrenCpu()) - childrenBefore;
    return { seconds, here, localCpu, cpu: spent(before, after) };
};

/** A group that went away meanwhile has taken its count with it. */
const spent = (before: HostCpu, after: HostCpu): HostCpu => ({
    agent: Math.max(0, after.agent - before.agent),
    engines: Math.max(0, after.engines - before.engines),
    all: after.all - before.all,
});

/** Of several runs the least disturbed one of each phase: other work on the machine only ever adds. */
export const leastOf = (runs: readonly Run[]): Run =>
    Object.fromEntries(
        PHASES.map((phase) => [
            phase,
            runs.map((run) => run[phase]).reduce((least, each) => (each.seconds < least.seconds ? each : least)),
        ]),
    ) as Run;

/** The largest program on a machine that does something else as well. */
const COMMAND_LIMIT_MS = 30 * 60_000;

/** Takes the stack's directory and its processes away, whatever happens. */
export const withStack = async <T>(act: (stack: Stack) => Promise<T>): Promise<T> => {
    const stack = await Stack.create();
    stack.commandLimitMs = COMMAND_LIMIT_MS;
    try {
        return await act(stack);
    } finally {
        await stack[Symbol.asyncDispose]();
    }
};
