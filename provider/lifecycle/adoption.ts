import type { DisclosedLife, Disclosure } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { formatNodeId, formatResourceId, type MachineId } from "../../protocol/ids.ts";
import { type Kind, primitiveOf } from "../../schema/index.ts";
import { type Reach, reach as reachSchema } from "../../schema/on-node.ts";
import type { Input } from "../../schema/primitive.ts";
import { check } from "./check.ts";
import { lifecycle } from "./lifecycle.ts";
import { givenIn } from "./outputs.ts";
import { stored } from "./stored.ts";
import type { Surroundings } from "./surroundings.ts";
import { GIVEN, hasUnknown, nameOf, type Properties, URN } from "./values.ts";

/** A resource as the engine's state has it, but for what the engine itself adds. */
export interface Adopted {
    readonly kind: Kind;
    readonly urn: string;
    readonly id: string;
    readonly inputs: Properties;
    readonly outputs: Properties;
    /** URNs of the resources that its references name, by input. */
    readonly references: Readonly<Record<string, string>>;
}

export interface Adoption {
    readonly machine: MachineId;
    readonly disclosure: Disclosure;
    /** How the machine was reached. */
    readonly reach: Reach;
    /** What the program gives a resource, as its preview shows it; undefined for what it does not have. */
    readonly planned: (urn: string) => Properties | undefined;
}

/** How a preview shows a secret. */
const SHOWN_SECRET = "[secret]";

/**
 * A tenant's Node and resources as their state would be, had it not been lost: what is real comes from the node, what only the provider
 * uses from the program. What the program left out and the node made stays left out, so that the next preview has nothing to say.
 */
export const adopt = async (surroundings: Surroundings, adoption: Adoption): Promise<readonly Adopted[]> => {
    const node = await adoptNode(surroundings, adoption);
    const adopted = [node];
    for (const life of adoption.disclosure.lives.filter(({ confirmed }) => confirmed))
        adopted.push(await adoptLife(surroundings, adoption, node, life, adopted));
    return adopted;
};

const adoptNode = async (surroundings: Surroundings, { machine, disclosure, reach, planned }: Adoption): Promise<Adopted> => {
    const { tenant, lives } = disclosure;
    const { urn } = tenant;
    const asReached: Properties = { ...reach, installPackages: tenant.settings.installPackages };
    const program = planned(urn);
    const known = (field: string) => {
        if (field === "machine" && lives.length > 0) return lives[0]?.spec.nodeMachine;
        if (program && (program[field] ?? undefined) === undefined) return undefined;
        return program && isKnown(program[field]) ? program[field] : asReached[field];
    };
    const inputs = checked("Node", urn, Object.fromEntries(Object.keys(primitiveOf("Node").inputs).map((field) => [field, known(field)])));
    return read(surroundings, "Node", urn, formatNodeId(machine, tenant.tenant), stored("Node", inputs, program ?? {}), {}, {});
};

const adoptLife = async (
    surroundings: Surroundings,
    { machine, disclosure, planned }: Adoption,
    node: Adopted,
    life: DisclosedLife,
    before: readonly Adopted[],
): Promise<Adopted> => {
    const { kind, urn, spec } = life;
    const program = planned(urn);
    const declared = primitiveOf(kind).inputs;
    const hidden: Properties = { node: node.id, nodeMachine: spec.nodeMachine, connection: connectionOf(node), nodeUrn: node.urn };
    const given = (field: string, input: Input): unknown => {
        if (Object.hasOwn(hidden, field)) return hidden[field];
        if (input.change.rule === "client") return isKnown(program?.[field]) ? program?.[field] : undefined;
        const isMade = input.generated && (program ? program[field] === undefined : life.generated.includes(field));
        return isMade ? undefined : spec[field];
    };
    const inputs = checked(kind, urn, Object.fromEntries(Object.entries(declared).map(([field, input]) => [field, given(field, input)])));
    const made = Object.fromEntries(
        Object.entries(declared).flatMap(([field, { generated }]) => (generated ? [[field, spec[field]]] : [])),
    );
    const id = (each: DisclosedLife["life"]) => formatResourceId(machine, disclosure.tenant.tenant, each);
    const references = Object.fromEntries(
        Object.entries(life.uses).flatMap(([field, used]) => before.flatMap((each) => (each.id === id(used) ? [[field, each.urn]] : []))),
    );
    return read(surroundings, kind, urn, id(life.life), stored(kind, inputs, program ?? {}), made, { node: node.urn, ...references });
};

/** The node has the last word, as in any refresh. */
const read = async (
    surroundings: Surroundings,
    kind: Kind,
    urn: string,
    id: string,
    inputs: Properties,
    made: Properties,
    references: Adopted["references"],
): Promise<Adopted> => {
    const before = { ...made, ...inputs, [GIVEN]: givenIn(kind, inputs), [URN]: urn };
    const reading = await lifecycle(kind, surroundings).read(id, before);
    if (reading.found) return { kind, urn, id, inputs: reading.inputs, outputs: reading.outputs, references };
    throw new ZeroformError({
        code: "LIFE_UNKNOWN",
        action: "adopt",
        kind,
        name: nameOf(urn),
        message: "it is gone from the node",
        hint: "`zeroform status` shows why; take it away with `zeroform remove <life> --host <host>`, and adopt the rest.",
    });
};

/** As the class makes it of its Node, which leaves out a list of no hops. */
const connectionOf = ({ outputs: { hopKeys, ...outputs } }: Adopted): Reach => {
    const pinned: Properties = Array.isArray(hopKeys) && hopKeys.length > 0 ? { ...outputs, hopKeys } : outputs;
    return reachSchema.parse(Object.fromEntries(Object.keys(reachSchema.shape).map((field) => [field, pinned[field]])));
};

const checked = (kind: Kind, urn: string, written: Properties): Properties => {
    const { inputs, failures } = check(kind, {}, { ...written, [URN]: urn });
    if (failures.length === 0) return inputs;
    throw new ZeroformError({
        code: "INVALID",
        action: "adopt",
        kind,
        name: nameOf(urn),
        message: failures.map(({ reason }) => reason).join("; "),
        hint: "Give the program, or the options of this command, what is missing.",
    });
};

const isKnown = (value: unknown): boolean =>
    value !== undefined && value !== null && !hasUnknown(value) && !JSON.stringify(value).includes(JSON.stringify(SHOWN_SECRET));
