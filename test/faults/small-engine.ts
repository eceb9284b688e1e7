import { asZeroformError } from "../../protocol/errors.ts";
import type { Lifecycle } from "../../provider/lifecycle/lifecycle.ts";
import { type Properties, same } from "../../provider/lifecycle/values.ts";
import type { Kind } from "../../schema/index.ts";
import { zdb } from "../../schema/zdb.ts";
import type { Operator, Outcome } from "./operator.ts";
import { ProviderRun } from "./provider-run.ts";
import type { Wanted } from "./wanted.ts";

interface Kept {
    readonly kind: Kind;
    readonly id: string;
    readonly inputs: Properties;
    readonly outputs: Properties;
    /** Why it was not ready at the last contact: an engine updates it then, whatever its inputs are. */
    readonly reasons: readonly string[];
}

interface Declared {
    readonly kind: Kind;
    readonly name: string;
    /** Of what is in the state by then. */
    readonly inputs: () => Properties;
}

type Step = "create" | "update" | "same";

/**
 * What Pulumi's engine does with a program, over the same lifecycle core and real SSH, in a tenth of the time: for the many runs of faults
 * that do not concern the CLI. One provider process's worth of session and connections a run, as with the CLI.
 */
export class SmallEngine implements Operator {
    readonly #urnPrefix: string;
    readonly #kept = new Map<string, Kept>();

    constructor(stack = "test", project = "e2e") {
        this.#urnPrefix = `urn:pulumi:${stack}::${project}::pulumi-nodejs:dynamic/zeroform:`;
    }

    up(wanted: Wanted): Promise<Outcome> {
        return this.#run(async (run, failed) => {
            const levels = this.#declared(wanted);
            for (const level of levels) {
                await failed.from(level.map((each) => this.#make(run, each)));
                // What stands on what failed is not tried.
                if (failed.any) return;
            }
            const names = new Set(levels.flat().map(({ name }) => name));
            await this.#remove(run, failed, (name) => !names.has(name));
        });
    }

    destroy(): Promise<Outcome> {
        return this.#run((run, failed) => this.#remove(run, failed, () => true));
    }

    async changes(wanted: Wanted): Promise<Readonly<Record<string, string>>> {
        const before = await this.#plan(wanted);
        const { ok, said } = await this.#run((run, failed) =>
            failed.from([...this.#kept].map(([name, kept]) => this.#read(run.of(kept.kind), name, kept))),
        );
        return { ...before, ...(await this.#plan(wanted)), ...(!ok && { refresh: said }) };
    }

    async #plan(wanted: Wanted): Promise<Readonly<Record<string, string>>> {
        await using run = new ProviderRun();
        const declared = this.#declared(wanted).flat();
        const plan: Record<string, string> = {};
        for (const name of this.#kept.keys()) if (!declared.some((each) => each.name === name)) plan[name] = "delete";
        for (const each of declared) {
            const { step } = this.#stepFor(run.of(each.kind), each);
            if (step !== "same") plan[each.name] = step;
        }
        return plan;
    }

    async ids(): Promise<readonly string[]> {
        return [...this.#kept.values()].filter(({ kind }) => kind !== "Node").map(({ id }) => id);
    }

    async urls(): Promise<Readonly<Record<string, string>>> {
        const zdbs = [...this.#kept].filter(([, { kind }]) => kind === "Zdb");
        // As the class composes it for a program.
        return Object.fromEntries(zdbs.map(([name, { outputs }]) => [name, String(zdb.outputs.url.composed?.by(outputs))]));
    }

    async [Symbol.asyncDispose](): Promise<void> {
        this.#kept.clear();
    }

    /** One provider process: it ends in order, since its engine has saved everything. */
    async #run(work: (run: ProviderRun, failed: Failures) => Promise<void>): Promise<Outcome> {
        await using run = new ProviderRun();
        const failed = new Failures();
        await work(run, failed);
        return { ok: !failed.any, said: [...failed.sentences, ...run.warnings].join("\n") };
    }

    /** By level: what stands on what. As the SDK's classes lower it. */
    #declared({ machine, patience, disks, zdbs }: Wanted): readonly (readonly Declared[])[] {
        const timeouts = { create: patience, update: patience, delete: patience };
        const reach = { host: machine.host, port: machine.port, user: machine.user, identityFile: machine.identityFile, trash: "0s" };
        const node = "node";
        const onNode = () => {
            const kept = this.#kept.get(node);
            const connection = { ...reach, hostKey: kept?.outputs.hostKey };
            return { node: kept?.id, connection, nodeUrn: this.#urn("Node", node), timeouts };
        };
        const declare = (kind: Kind, name: string, inputs: () => Properties): Declared => ({
            kind,
            name,
            inputs: () => ({ ...inputs(), __urn: this.#urn(kind, name) }),
        });
        return [
            [declare("Node", node, () => ({ ...reach, hostKey: machine.hostKey, timeouts }))],
            disks.map(({ name, sizeMiB, device }) =>
                declare("ZMount", name, () => ({ ...onNode(), ...(device === undefined ? { size: `${sizeMiB}MiB` } : { device }) })),
            ),
            zdbs.map(({ name, sizeMiB, disk }) =>
                declare("Zdb", name, () => ({
                    ...onNode(),
                    size: `${sizeMiB}MiB`,
                    oversubscribe: true,
                    listen: machine.host,
                    ...(disk !== undefined && { mount: this.#kept.get(disk)?.id }),
                })),
            ),
        ];
    }

    #urn(kind: Kind, name: string): string {
        return `${this.#urnPrefix}${kind}::${name}`;
    }

    #stepFor(lifecycle: Lifecycle, { kind, name, inputs }: Declared): { readonly step: Step; readonly inputs: Properties } {
        const kept = this.#kept.get(name);
        const checked = lifecycle.check(kept?.inputs ?? {}, inputs());
        const [failure] = checked.failures;
        if (failure) throw new Error(`${kind} "${name}": ${failure.property}: ${failure.reason}`);
        if (!kept) return { step: "create", inputs: checked.inputs };
        const { replaces } = lifecycle.diff(kept.id, kept.outputs, checked.inputs);
        if (replaces.length > 0) throw new Error(`${kind} "${name}" would be replaced for ${replaces}`);
        const isSame = same(kept.inputs, checked.inputs) && kept.reasons.length === 0;
        return { step: isSame ? "same" : "update", inputs: checked.inputs };
    }

    async #make(run: ProviderRun, declared: Declared): Promise<void> {
        const { kind, name } = declared;
        const lifecycle = run.of(kind);
        const { step, inputs } = this.#stepFor(lifecycle, declared);
        const kept = this.#kept.get(name);
        if (step === "same") return;
        const outcome = kept ? await lifecycle.update(kept.id, kept.outputs, inputs) : await lifecycle.create(inputs);
        this.#kept.set(name, { kind, inputs, ...outcome });
        if (outcome.reasons.length > 0) throw run.unfinished(kind, this.#urn(kind, name), outcome);
    }

    async #read(lifecycle: Lifecycle, name: string, kept: Kept): Promise<void> {
        const reading = await lifecycle.read(kept.id, kept.outputs);
        if (reading.found) this.#kept.set(name, { ...kept, inputs: reading.inputs, outputs: reading.outputs, reasons: [] });
        else this.#kept.delete(name);
    }

    async #remove(run: ProviderRun, failed: Failures, isDoomed: (name: string) => boolean): Promise<void> {
        for (const level of ["Zdb", "ZMount", "Node"] satisfies Kind[]) {
            const doomed = [...this.#kept].filter(([name, { kind }]) => kind === level && isDoomed(name));
            await failed.from(
                doomed.map(async ([name, { kind, id, outputs }]) => {
                    await run.of(kind).delete(id, outputs);
                    this.#kept.delete(name);
                }),
            );
            if (failed.any) return;
        }
    }
}

/** What users are told of everything that failed. */
class Failures {
    readonly sentences: string[] = [];

    get any(): boolean {
        return this.sentences.length > 0;
    }

    async from(work: readonly Promise<void>[]): Promise<void> {
        for (const result of await Promise.allSettled(work))
            if (result.status === "rejected") this.sentences.push(asZeroformError(result.reason).sentence());
    }
}
