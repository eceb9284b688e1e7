import { pulumi } from "./pulumi.ts";

/** A resource of a program, in the words of Pulumi's own state; what is not known yet or secret is marked instead. */
export interface PlannedResource extends Readonly<Record<string, unknown>> {
    readonly urn: string;
    readonly type: string;
    readonly custom: boolean;
    readonly inputs?: Readonly<Record<string, unknown>>;
}

/** Everything that the program of this folder would make in an empty stack, parents first. Contacts no node. */
export const programPlan = async (stack: string | undefined): Promise<readonly PlannedResource[]> => {
    const { steps } = JSON.parse(await pulumi(["preview", "--json"], stack, "the program cannot be previewed")) as {
        readonly steps?: readonly { readonly newState?: PlannedResource }[];
    };
    return (steps ?? []).flatMap(({ newState }) => (newState === undefined ? [] : [newState]));
};
