import type { Output, Input as PulumiInput } from "@pulumi/pulumi";
import type { z } from "zod";
import type { bearingData, onNode } from "../schema/on-node.ts";
import type { Input as Declared, Output as DeclaredOutput, Rule } from "../schema/primitive.ts";

/** What is needed of a primitive's declaration to type a class of it. */
export interface Declaration {
    readonly kind: string;
    readonly inputs: Record<string, Declared>;
    readonly outputs: Record<string, DeclaredOutput>;
    readonly exclusive?: (inputs: Readonly<Record<string, unknown>>) => boolean;
}

/** A value, a promise of one, or one whose parts are such. */
type Input<T> = PulumiInput<
    T extends string | number | boolean | undefined | null
        ? T
        : T extends readonly (infer E)[]
          ? Input<E>[]
          : T extends object
            ? { [K in keyof T]: Input<T[K]> }
            : T
>;
type Program = Declared<z.ZodType, Rule, "program">;
type Written<I extends Declared> = z.input<I["schema"]>;
type Required<I extends Declared, K> = I extends Program ? (undefined extends Written<I> ? never : K) : never;
type Optional<I extends Declared, K> = I extends Program ? (undefined extends Written<I> ? K : never) : never;
/** Inputs that several primitives have. Compiled declarations keep doc comments only where a field is declared, not where it is spread. */
type Shared = typeof onNode & typeof bearingData;

type ArgsOf<I extends Record<string, Declared>, Only> = {
    [K in keyof I as K extends Only ? Required<I[K], K> : never]: Input<Written<I[K]>>;
} & {
    [K in keyof I as K extends Only ? Optional<I[K], K> : never]?: Input<Written<I[K]>> | undefined;
};

/**
 * A primitive's inputs as a program writes them: each may be a value or a promise of one. The keys are mapped from the
 * schema's own, so that an editor shows the doc comments written there.
 */
export type Args<P extends Declaration> = ArgsOf<P["inputs"], Exclude<keyof P["inputs"], keyof Shared>> & ArgsOf<Shared, keyof P["inputs"]>;

/** Inputs that the node fills in are there once the resource is real. */
type Mirrored<I extends Declared> = I extends { readonly generated: true } ? NonNullable<z.output<I["schema"]>> : z.output<I["schema"]>;

type MirroredOf<I extends Record<string, Declared>, Only> = {
    readonly [K in keyof I as K extends Only ? (I[K] extends Program ? K : never) : never]: Output<Mirrored<I[K]>>;
};

/** What a resource of the primitive shows to the program: its inputs as they are now, and its outputs. */
export type Shown<P extends Declaration> = MirroredOf<P["inputs"], Exclude<keyof P["inputs"], keyof Shared>> &
    MirroredOf<Shared, keyof P["inputs"]> & {
        readonly [K in keyof P["outputs"]]: Output<z.output<P["outputs"][K]["schema"]>>;
    };
