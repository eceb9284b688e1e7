import { node } from "./node.ts";
import type { AnyPrimitive } from "./primitive.ts";
import { zdb } from "./zdb.ts";
import { zmount } from "./zmount.ts";
import { zstor } from "./zstor.ts";

/** Every primitive there is, by kind. */
export const primitives = { Node: node, ZMount: zmount, Zdb: zdb, ZStor: zstor } as const;

export type Kind = keyof typeof primitives;

export const isKind = (kind: string): kind is Kind => Object.hasOwn(primitives, kind);

/** The declaration of a kind, where the kind's own types do not matter. */
export const primitiveOf = (kind: Kind): AnyPrimitive => primitives[kind] as unknown as AnyPrimitive;
