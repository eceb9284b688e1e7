/** An answer in the Redis protocol; an error answer is an Error value, so that a pipeline can hold some of each. */
export type Reply = string | number | null | Error | readonly Reply[];

/** Talks to servers of ours over their unix sockets. */
export interface Redis {
    /** Sends all commands at once, answers their replies in order. Throws when the server cannot be reached or is silent. */
    ask(socket: string, commands: readonly (readonly string[])[], signal?: AbortSignal): Promise<readonly Reply[]>;
}
