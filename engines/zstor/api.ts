import { z } from "zod";

/** An answer may have fewer: as many as fit a frame. */
export const MOST_LISTED = 2000;

/** A request on the socket, as its first frame. `put` is followed by content; the answer to `get` is. */
export const request = z.discriminatedUnion("op", [
    z.strictObject({ op: z.literal("put"), name: z.string() }),
    z.strictObject({
        op: z.literal("get"),
        name: z.string(),
        offset: z.number().int().min(0).optional(),
        length: z.number().int().min(0).optional(),
        generation: z.number().int().min(1).optional(),
    }),
    z.strictObject({ op: z.literal("stat"), name: z.string() }),
    z.strictObject({
        op: z.literal("list"),
        prefix: z.string(),
        after: z.string().optional(),
        limit: z.number().int().min(1).max(MOST_LISTED),
    }),
    z.strictObject({ op: z.literal("history"), name: z.string() }),
    z.strictObject({ op: z.literal("remove"), name: z.string() }),
    z.strictObject({ op: z.literal("status"), asking: z.boolean().optional() }),
    z.strictObject({ op: z.literal("metrics") }),
    z.strictObject({ op: z.literal("explain") }),
    z.strictObject({ op: z.literal("check"), name: z.string() }),
    z.strictObject({ op: z.literal("repair") }),
    z.strictObject({ op: z.literal("scrub") }),
    z.strictObject({ op: z.literal("sweep") }),
    z.strictObject({ op: z.literal("rebalance") }),
    z.strictObject({ op: z.literal("repack") }),
    z.strictObject({ op: z.literal("rotate-wrapping") }),
]);

export type Request = z.infer<typeof request>;

/** The answer's first frame; content may follow, and behind that again an answer, since it can go wrong on the way. */
export type Answer = { readonly result: unknown } | { readonly error: { readonly failure: string; readonly message: string } };
