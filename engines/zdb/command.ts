import type { ColdReads } from "./cold-reads.ts";
import type { AnswerStream, Connection } from "./connection.ts";
import type { Hooks } from "./hooks.ts";
import type { InputBudget } from "./input-budget.ts";
import { MAX_KEY_BYTES } from "./limits.ts";
import type { Listeners } from "./listeners.ts";
import type { Namespace } from "./namespace.ts";
import type { Operation } from "./namespace-measures.ts";
import type { Namespaces } from "./namespaces.ts";
import { Refusal } from "./refusal.ts";
import type { ReplyBuffer } from "./reply-buffer.ts";
import type { Session } from "./session.ts";
import type { Statistics } from "./statistics.ts";
import type { Timers } from "./syncer.ts";
import type { Turn } from "./turn.ts";
import type { Watches } from "./watches.ts";

/** What commands see of their server. */
export interface CommandContext {
    readonly namespaces: Namespaces;
    readonly listeners: Listeners;
    readonly turn: Turn;
    readonly timers: Timers;
    readonly statistics: Statistics;
    readonly hooks: Hooks;
    readonly watches: Watches;
    readonly version: string;
    readonly instanceId: number;
    readonly adminPassword: string | undefined;
    /** `default` is shut and namespaces are behind their own listeners only. */
    readonly closed: boolean;
    /** Secret properties are sealed on the disk. */
    readonly sealsSecrets: boolean;
    readonly indexDirectory: string;
    /** Memory for what is fetched from the disk for waiting commands. */
    readonly readBudget: InputBudget;
    /** Everybody is told about private namespaces. */
    readonly showsAll: boolean;
    /** Closed segments are read through in the background. */
    readonly scrubs: boolean;
    /** STOP of an administrator ends the server. */
    readonly allowsStop: boolean;
    stop(): void;
    /** Whether WAIT knows it. */
    isCommand(name: string): boolean;
    /** One line for the operator. */
    log(line: string): void;
    /** One line for an operator who wants to know everything. */
    chat(line: string): void;
    /** The namespaces, their listeners or terms changed: opens and closes listeners, and parts with clients that no longer may be where they are. */
    rearrange(): Promise<void>;
}

/** One request being executed. */
export interface Call {
    readonly context: CommandContext;
    readonly connection: Connection;
    readonly session: Session;
    /** The command's name is the first. */
    readonly args: readonly Buffer[];
    readonly reply: ReplyBuffer;
}

export interface Command {
    readonly admin?: boolean;
    /** What it counts as in the figures of its namespace. */
    readonly operation?: Operation;
    /** Least and most arguments, the name counted; anything when absent. */
    readonly argc?: readonly [least: number, most: number];
    /** The error for another number of them. */
    readonly argcError?: string;
    /** Empty arguments are refused. */
    readonly refusesEmpty?: boolean;
    /** The answer, now, later, or piece by piece. */
    run(call: Call): undefined | Promise<void> | AnswerStream;
}

/** An argument that the table has made sure of. */
export function argument({ args }: Call, place: number): Buffer {
    const value = args[place];
    if (!value) throw new Refusal("Missing arguments");
    return value;
}

export const textArgument = (call: Call, place: number): string => argument(call, place).toString("latin1");

/** A key, of a length that can be one. */
export function keyArgument(call: Call, place: number): Buffer {
    const key = argument(call, place);
    if (key.length > MAX_KEY_BYTES) throw new Refusal("Invalid key");
    return key;
}

/** What a command reads from that may be abandoned and carried out anew. */
export function coldReads({ readBudget: budget }: CommandContext, { segments, disk }: Namespace): ColdReads {
    return { segments, disk, budget };
}

/** Holds the answer added since `from` until the namespace's log has acknowledged what it tells. */
export function holdUntil({ reply }: Call, namespace: Namespace, lsn: number, from: number): void {
    const gate = namespace.log.gate(lsn);
    if (!gate) return;
    reply.hold(from, gate);
    namespace.measures.holdsNext();
}
