import type { HostInfo } from "../../dev/hosts/index.ts";
import type { Operator, Outcome } from "./operator.ts";
import type { Random } from "./random.ts";
import type { Wanted } from "./wanted.ts";

/** One run of a property, as a fault sees it. */
export interface Scene {
    readonly host: HostInfo;
    readonly random: Random;
    readonly operator: Operator;
    /** The program's next version: what the run brings about. */
    readonly wanted: Wanted;
    /** Runs a shell line as root on the host. */
    sh(line: string): Promise<string>;
    /** Starts the program's next version; a fault breaks something before, or meanwhile. */
    operate(wanted?: Wanted): Promise<Outcome>;
    /** Whatever stores have acknowledged is nobody's any more: the run takes them away on purpose. */
    disown(): void;
    /** What is undone at the end of the strike, whatever happens; the last one first. */
    undo(act: () => Promise<unknown>): void;
    /** What is done when it has converged, or failed to: a person has been told by then. */
    clear(act: () => Promise<unknown>): void;
}

/** What a person is told to do in the words of the product, and doing it. */
export interface Remedy {
    readonly said: RegExp;
    apply(scene: Scene): Promise<unknown>;
}

export interface Fault {
    /** As the issue calls it. */
    readonly name: string;
    /** Who runs the program in a run. `small`: the small engine; the first run is the real CLI's all the same. */
    readonly operator: "cli" | "small";
    /** What the host needs for it; part of what is there before. */
    prepare?(host: HostInfo): Promise<unknown>;
    strike(scene: Scene): Promise<void>;
    /** What may be said instead of converging, and then has to help. */
    readonly remedies?: readonly Remedy[];
    /** A person refreshes before the next `up`, as whoever puts a backup back does. @default false */
    readonly refreshes?: boolean;
    /** What goes on being written while the fault is there. @default true */
    readonly writes?: boolean;
}
