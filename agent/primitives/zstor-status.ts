import { z } from "zod";
import { ZeroformError } from "../../protocol/errors.ts";

const status = z.object({
    revision: z.string().optional(),
    owed: z.number(),
    stopped: z.string().optional(),
    backends: z.array(
        z.object({
            name: z.string(),
            state: z.string(),
            draining: z.boolean().optional(),
            downSinceMs: z.number().optional(),
            stripes: z.number().optional(),
        }),
    ),
    cache: z.object({ isLost: z.boolean() }).optional(),
    warnings: z.array(z.string()),
});
const explanation = z.object({ holds: z.boolean(), why: z.string() });

/** What a front end says of its store. */
export type Answered = z.infer<typeof status> & { readonly layout: z.infer<typeof explanation> };

/** Answers to `status` and `explain`. */
export const parseStatus = ([first, second]: readonly unknown[]): Answered => {
    const [told, explained] = [status.safeParse(first), explanation.safeParse(second)];
    if (told.success && explained.success) return { ...told.data, layout: explained.data };
    throw new ZeroformError({
        code: "NOT_READY",
        message: "its front end tells of the store in words of another release",
        retryable: true,
    });
};
