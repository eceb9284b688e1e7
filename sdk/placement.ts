import * as pulumi from "@pulumi/pulumi";
import { isOfKind } from "./resource.ts";

/** What a node gives the resources on it: who it is by its id, and otherwise by inputs, since outputs are unknown while it updates. */
export interface Placement {
    readonly node: pulumi.Input<string>;
    readonly nodeMachine: pulumi.Input<string | undefined> | undefined;
    readonly connection: pulumi.Inputs;
    readonly nodeUrn: pulumi.Input<string>;
}

/** A resource that others can be put on. */
export interface Place {
    readonly placement: Placement;
}

/** The placement of what a program gave as `node` or `mount`, or a sentence on what it gave instead. */
export const placementOn = (resource: string, argument: string, kind: string, given: unknown): Placement => {
    if (isOfKind(kind, given) && isPlace(given)) return given.placement;
    throw new pulumi.RunError(`${resource}: ${argument} must be a ${kind} of this program, not ${whatIs(given)}.`);
};

/** Arguments as an object; what JavaScript lets through is named. */
export const argsOf = <A extends object>(resource: string, args: A): A => {
    if (typeof args === "object" && args !== null) return args;
    throw new pulumi.RunError(`${resource}: its second argument must be an object with its inputs, not ${whatIs(args)}.`);
};

export const isPlace = (value: unknown): value is Place => typeof value === "object" && value !== null && "placement" in value;

/** What a program gave instead of what it should have, in words. */
export const whatIs = (value: unknown): string => {
    if (value === undefined) return "left out";
    if (value === null) return "null";
    if (pulumi.Output.isInstance(value)) return "an output";
    if (pulumi.Resource.isInstance(value)) return `a ${value.constructor.name}`;
    return Array.isArray(value) ? "an array" : `a ${typeof value}`;
};
