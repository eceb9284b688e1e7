import { nameOf, type Program, Stack } from "../e2e/stack.ts";
import type { Operator, Outcome } from "./operator.ts";
import type { Wanted } from "./wanted.ts";

const program: Program<Wanted> = ({ pulumi, zeroform }, { machine, patience, disks, zdbs }) => {
    const timeouts = { create: patience, update: patience, delete: patience };
    const node = new zeroform.Node("node", { ...machine, trash: "0s", timeouts });
    const mounts = new Map(
        disks.map(({ name, sizeMiB, device }) => {
            const space = device === undefined ? { size: `${sizeMiB}MiB` } : { device };
            return [name, new zeroform.ZMount(name, { node, timeouts, ...space })];
        }),
    );
    const urls = zdbs.map(({ name, sizeMiB, disk }) => {
        const mount = mounts.get(disk ?? "");
        const args = { size: `${sizeMiB}MiB`, oversubscribe: true, listen: machine.host, timeouts };
        return [name, new zeroform.Zdb(name, mount ? { ...args, mount } : { ...args, node }).url] as const;
    });
    return { urls: pulumi.output(Object.fromEntries(urls)) };
};

/** Somebody with the real Pulumi CLI. */
export class CliOperator implements Operator {
    readonly stack: Stack;

    private constructor(stack: Stack) {
        this.stack = stack;
    }

    static async create(passphrase = ""): Promise<CliOperator> {
        return new CliOperator(await Stack.create("test", "e2e", { PULUMI_CONFIG_PASSPHRASE: passphrase }));
    }

    write(wanted: Wanted): Promise<void> {
        return this.stack.program(program, wanted);
    }

    async up(wanted: Wanted): Promise<Outcome> {
        await this.write(wanted);
        return this.#run(["up", "--skip-preview"]);
    }

    refresh(): Promise<Outcome> {
        return this.#run(["refresh", "--skip-preview", "--clear-pending-creates"]);
    }

    destroy(): Promise<Outcome> {
        return this.#run(["destroy", "--skip-preview"]);
    }

    async changes(wanted: Wanted): Promise<Readonly<Record<string, string>>> {
        await this.write(wanted);
        const plan = Object.entries(await this.stack.plan()).filter(([, op]) => op !== "same");
        const { ok, said } = await this.#run(["refresh", "--skip-preview", "--clear-pending-creates", "--expect-no-changes"]);
        return Object.fromEntries(ok ? plan : [...plan, ["refresh", said]]);
    }

    async ids(): Promise<readonly string[]> {
        const resources = await this.stack.state();
        return resources.filter(({ urn, id }) => id !== undefined && nameOf(urn) !== "node").map(({ id }) => String(id));
    }

    urls(): Promise<Readonly<Record<string, string>>> {
        return this.stack.revealed("urls");
    }

    async #run(args: readonly string[]): Promise<Outcome> {
        const { code, output } = await this.stack.run(args);
        return { ok: code === 0, said: output };
    }

    [Symbol.asyncDispose](): Promise<void> {
        return this.stack[Symbol.asyncDispose]();
    }
}
