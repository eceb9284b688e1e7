import type { Input, Output } from "@pulumi/pulumi";
import type { z } from "zod";
import type { Input as Declared, Output as DeclaredOutput, Rule } from "../schema/primitive.ts";

/** What is needed of a primitive's declaration to type a class of it. */
export interface Declaration {
    readonly kind: string;
    readonly inputs: Record<string, Declared>;
    readonly outputs: Record<string, DeclaredOutput>;
    readonly exclusive?: (inputs: Readonly<Record<string, unknown>>) => boolean;
}

type Program = Declared<z.ZodType, Rule, "program">;
type Written<I extends Declared> = z.input<I["schema"]>;
type Required<I extends Declared, K> = I extends Program ? (undefined extends Written<I> ? never : K) : never;
type Optional<I extends Declared, K> = I extends Program ? (undefined extends Written<I> ? K : never) : never;

/**
 * A primitive's inputs as a program writes them: each may be a value or a promise of one. The keys are mapped from the
 * schema's own, so that an editor shows the doc comments written there.
 */
export type Args<P extends Declaration> = {
    [K in keyof P["inputs"] as Required<P["inputs"][K], K>]: Input<Written<P["inputs"][K]>>;
} & {
    [K in keyof P["inputs"] as Optional<P["inputs"][K], K>]?: Input<Written<P["inputs"][K]>> | undefined;
};

/** Inputs that the node fills in are there once the resource is real. */
type Mirrored<I extends Declared> = I extends { readonly generated: true } ? NonNullable<z.output<I["schema"]>> : z.output<I["schema"]>;

/** What a resource of the primitive shows to the program: its inputs as they are now, and its outputs. */
export type Shown<P extends Declaration> = {
    readonly [K in keyof P["inputs"] as P["inputs"][K] extends Program ? K : never]: Output<Mirrored<P["inputs"][K]>>;
} & {
    readonly [K in keyof P["outputs"]]: Output<z.output<P["outputs"][K]["schema"]>>;
};
