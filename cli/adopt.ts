import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { ZeroformError } from "../protocol/errors.ts";
import { partsOf } from "../protocol/urn.ts";
import { systemClock } from "../provider/dynamic/clock.ts";
import { type Adopted, adopt } from "../provider/lifecycle/adoption.ts";
import { Session } from "../provider/lifecycle/session.ts";
import type { Surroundings } from "../provider/lifecycle/surroundings.ts";
import { hasUnknown } from "../provider/lifecycle/values.ts";
import { NodePool } from "../provider/node/pool.ts";
import { destinationOf, resolveRoute } from "../provider/node/route.ts";
import { type Reach, reach } from "../schema/on-node.ts";
import { declarations } from "./declarations.ts";
import { DEFAULT_PROVIDER, type Deployment, deploymentOf } from "./deployment.ts";
import { explain } from "./help.ts";
import { type Found, lostTenants, requireDistinct } from "./lost-tenants.ts";
import { linkTo, type NamedNode, type NodeOptions, nodesOf, withNodeOptions } from "./nodes.ts";
import { type PlannedResource, programPlan } from "./program-plan.ts";
import { isInProject } from "./project.ts";
import { pulumi } from "./pulumi.ts";
import { counted } from "./text.ts";

interface Options extends NodeOptions {
    readonly tenant?: readonly string[];
    readonly project?: string;
    readonly program: boolean;
    readonly import?: boolean;
    readonly out?: string;
    readonly json?: boolean;
}

/** `zeroform adopt`: a stack whose state was lost is put together again from what is on the machines. */
export const register = (program: Command): void => {
    const command = withNodeOptions(program.command("adopt"))
        .description("put a stack's lost state together again from what its tenants have on the machines")
        .option("--tenant <id...>", "the tenants that are meant, where two stacks have equal names")
        .option("--project <name>", "the project that the stack belonged to, where there is no program")
        .option("--no-program", "do not ask the program of this folder; the next `pulumi up` may then show updates of state only")
        .option("--import", "give the state to the selected stack, which has to be empty, instead of writing a file")
        .option("--out <file>", "where the state is written (it holds secrets in clear: mode 0600) [<stack>.adopted.json]")
        .option(
            "--json",
            "print JSON instead of declarations: stack, project, resources with kind, urn and id, and the file, when one is written",
        )
        .action(async (options: Options) => {
            const { planned, empty } = await programOf(options);
            const root = planned.find(({ type }) => type === "pulumi:pulumi:Stack");
            const expected = root ? partsOf(root.urn) : { stack: options.stack, project: options.project };
            const nodes = options.host ? await nodesOf(options) : nodesPlanned(planned);
            const found = await lostTenants(nodes, { ...expected, tenants: options.tenant }, note);
            const adopted = await adoptAll(found, planned);
            const { stack, project } = partsOf(found[0]?.holdings.urn ?? "");
            const deployment = deploymentOf({ stack, project, planned, adopted, empty, mintId: randomUUID });
            const file = options.import ? undefined : (options.out ?? `${stack}.adopted.json`);
            const say = options.json ? () => undefined : (words: string) => console.log(words);
            say(declarations(adopted));
            compare(planned, adopted);
            if (file === undefined) await give(deployment, options.stack);
            else await write(deployment, file);
            say(file === undefined ? imported(stack) : written(file));
            if (!options.json) return;
            const resources = adopted.map(({ kind, urn, id }) => ({ kind, urn, id }));
            console.log(JSON.stringify({ stack, project, resources, ...(file !== undefined && { file }) }, null, 2));
        });
    explain(command, {
        details: [
            "It asks the machines that the program names, or those named with --host, for what a stack of this name has there, and prints declarations for it. What is on one side only is said on standard error. The machines are not changed.",
        ],
        examples: [
            ["zeroform adopt --import", "in the project's folder, with a new empty stack selected"],
            [
                "zeroform adopt --host 10.0.0.11 10.0.0.12 --project shop --stack prod",
                "without the program: a file for pulumi stack import",
            ],
        ],
    });
};

const note = (words: string): void => console.error(words);

/** What the program of this folder would make, and the stack that it is to be the state of. */
const programOf = async ({ program, stack, ...options }: Options) => {
    if (!isInProject()) {
        if (options.import)
            throw invalid("there is no Pulumi project here whose stack could take the state", "Run this in the project's folder.");
        return { planned: [], empty: undefined };
    }
    const exported = JSON.parse(await pulumi(["stack", "export"], stack, "the selected stack cannot be read")) as Deployment;
    const { resources = [], ...empty } = exported.deployment;
    // An `up` that failed before its first resource leaves the stack itself and the provider that Pulumi makes for it.
    const others = resources.filter(({ custom, type }) => custom && type !== DEFAULT_PROVIDER);
    if (others.length > 0)
        throw invalid(
            `the selected stack is not empty: it has ${counted(others.length, "resource")}`,
            "Adopt into a stack that has no state (`pulumi stack init`), or name another one with --stack.",
        );
    return { planned: program ? await programPlan(stack) : [], empty };
};

/** The machines that the program names. */
const nodesPlanned = (planned: readonly PlannedResource[]): readonly NamedNode[] => {
    const nodes = planned.filter(({ type }) => type.endsWith("dynamic/zeroform:Node"));
    const named = nodes.map(({ urn, inputs = {} }) => {
        const known = Object.entries(inputs).filter(
            ([field, value]) => Object.hasOwn(reach.shape, field) && !hasUnknown(value) && value !== "[secret]",
        );
        const parsed = reach.safeParse(Object.fromEntries(known));
        if (parsed.success) return { name: partsOf(urn).name, reach: parsed.data };
        throw invalid(`where Node "${partsOf(urn).name}" is cannot be told from the program`, "Name the machines with --host.");
    });
    if (named.length > 0) return named;
    throw invalid("which machines are meant is not said", "Name them with --host.");
};

const adoptAll = async (found: readonly Found[], planned: readonly PlannedResource[]): Promise<readonly Adopted[]> => {
    const session = new Session();
    const pool = new NodePool({ session: session.id });
    const inputsOf = (urn: string) => planned.find((plan) => plan.urn === urn)?.inputs;
    try {
        const each = await Promise.all(
            found.map(async ({ node, holdings }) => {
                const link = await linkTo(pool, node);
                const { machine } = link.welcome;
                const disclosure = await link.request("tenant.disclose", { machine, tenant: holdings.tenant });
                requireDistinct(disclosure);
                for (const life of disclosure.lives.filter(({ confirmed }) => !confirmed))
                    note(
                        `${node.name}: ${life.kind} "${life.name}" (${life.life}) is left alone: the run that made it crashed before Pulumi knew of it`,
                    );
                for (const life of disclosure.kept)
                    note(`${node.name}: the kept data of ${life.kind} "${partsOf(life.urn).name}" (${life.life}) are left alone`);
                const surroundings: Surroundings = {
                    session,
                    // However the program will reach it, now it is reached as the command line says.
                    nodes: {
                        link: async (way) => ({ ...link, request: link.request.bind(link), target: resolveRoute(way).target }),
                        resolve: (way) => destinationOf(resolveRoute(way)),
                    },
                    engine: {
                        assertAlive: async () => undefined,
                        say: () => undefined,
                        inform: (_, words) => note(words),
                        warn: (_, words) => note(words),
                    },
                    clock: systemClock,
                    onUnreachable: undefined,
                };
                const way = { ...node.reach, ...(await keyFor(inputsOf(holdings.urn), node.reach)) };
                return adopt(surroundings, { machine, disclosure, reach: way, planned: inputsOf });
            }),
        );
        return each.flat();
    } finally {
        await pool.end();
    }
};

/** A preview does not show the key that the program gives: it is the one that the machine was reached with. */
const keyFor = async (program: PlannedResource["inputs"], way: Reach): Promise<Pick<Reach, "privateKey">> => {
    const { identityFile } = resolveRoute(way).target;
    if (program?.privateKey === undefined || identityFile === undefined) return {};
    return { privateKey: await readFile(identityFile, "utf8") };
};

/** What the next `pulumi up` does about everything that is on one side only. */
const compare = (planned: readonly PlannedResource[], adopted: readonly Adopted[]): void => {
    if (planned.length === 0) return;
    const plannedUrns = new Set(planned.map(({ urn }) => urn));
    for (const { kind, urn } of adopted.filter((each) => !plannedUrns.has(each.urn)))
        note(
            `! the program has no ${kind} "${partsOf(urn).name}" (${urn}): the next \`pulumi up\` removes it, or renames it where the program has an alias`,
        );
    const adoptedUrns = new Set(adopted.map(({ urn }) => urn));
    const missing = planned.filter(({ urn, custom, type }) => custom && !type.startsWith("pulumi:providers:") && !adoptedUrns.has(urn));
    for (const { urn, type } of missing)
        note(`! not found, so that the next \`pulumi up\` makes it anew: ${type.split(/[:/]/).at(-1)} "${partsOf(urn).name}"`);
};

const give = async (deployment: Deployment, selected: string | undefined): Promise<void> => {
    await pulumi(["stack", "import"], selected, "the state was not imported", JSON.stringify(deployment));
};

const imported = (stack: string): string => `stack ${stack} has its state again; look at it with \`pulumi preview\``;

const write = async (deployment: Deployment, file: string): Promise<void> => {
    try {
        await writeFile(file, `${JSON.stringify(deployment, null, 4)}\n`, { mode: 0o600, flag: "wx" });
    } catch (failure) {
        const isThere = failure instanceof Error && "code" in failure && failure.code === "EEXIST";
        const words = failure instanceof Error ? failure.message : String(failure);
        throw invalid(
            isThere ? `${file} is there already and is not written over` : `the state could not be written: ${words}`,
            "Name another file with --out.",
        );
    }
};

const written = (file: string): string =>
    `written to ${file}, with secrets in clear; \`pulumi stack import --file ${file}\` takes and encrypts it, then delete the file`;

const invalid = (message: string, hint: string) => new ZeroformError({ code: "INVALID", message, hint });
