import { z } from "zod";
import { ZeroformError } from "../../protocol/errors.ts";

/** As far as the replicas of its metadata are other ones than were asked for. */
const exchange = z.object({
    joining: z.string().optional(),
    leaving: z.string().optional(),
    phase: z.enum(["filling", "both"]),
    values: z.number(),
    copied: z.number(),
    why: z.string().optional(),
});

export type MetadataExchange = z.infer<typeof exchange>;

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
    /** Front ends of earlier releases tell less of them. */
    metadata: z.object({ exchange: exchange.optional(), refusal: z.string().optional() }).default({}),
    warnings: z.array(z.string()),
});
const explanation = z.object({ holds: z.boolean(), why: z.string() });

/** What a front end says of its store. */
export type Answered = z.infer<typeof status> & { readonly layout: z.infer<typeof explanation> };

/** What keeps the metadata from lying where they are asked to lie; undefined when nothing does. */
export const exchangeInWords = ({ metadata: { exchange: under, refusal } }: Answered): string | undefined => {
    if (refusal !== undefined) return `the metadata namespaces are not exchanged: ${refusal}`;
    if (under === undefined) return undefined;
    const { joining, leaving, phase, values, copied, why } = under;
    const [joins, leaves] = [joining === undefined ? [] : [`${joining} joins`], leaving === undefined ? [] : [`${leaving} leaves`]];
    const far = phase === "both" ? "both sets are written to" : `${copied} of ${values} values are copied`;
    return `its metadata namespaces are being exchanged: ${[...joins, ...leaves, far].join(", ")}${why === undefined ? "" : `; ${why}`}`;
};

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
