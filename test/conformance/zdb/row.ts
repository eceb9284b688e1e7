import { follow, type Script } from "../../zdb/script.ts";
import type { Mode, World } from "./world.ts";

/** One line of the wire tables, as a case. */
export interface Row {
    /** Section of the wire specification, and what of it. */
    readonly what: string;
    /** The mode it is about; both when absent. */
    readonly only?: Mode;
    /** Where we differ from the original on purpose: the word for it in the issue or in section 17 of the specification. */
    readonly differs?: string;
    check(world: World): Promise<void>;
}

type Marks = Omit<Row, "what" | "check">;

/** A row that is a conversation with a client that administers, in a namespace of its own. */
export function script(what: string, lines: Script | ((world: World) => Script), marks: Marks = {}): Row {
    return { what, ...marks, check: (world) => follow(world.client, typeof lines === "function" ? lines(world) : lines) };
}

/** A row that takes more than that. */
export function row(what: string, check: (world: World) => Promise<void>, marks: Marks = {}): Row {
    return { what, ...marks, check };
}

export const titleOf = ({ what, differs }: Row): string => (differs === undefined ? what : `${what} [differs: ${differs}]`);
