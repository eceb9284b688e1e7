import type { AnyPrimitive } from "../../schema/primitive.ts";
import type { Driver } from "../primitives/driver.ts";
import type { ResourceKind } from "../store/rows.ts";

/** A driver where its primitive does not matter. */
export type AnyDriver = Driver<AnyPrimitive, unknown>;

/** The driver of every kind. */
export type Drivers = Readonly<Record<ResourceKind, AnyDriver>>;
