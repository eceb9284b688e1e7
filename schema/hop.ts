import { isIP } from "node:net";
import { z } from "zod";

/** A jump host: how it is reached and logged in to, as a Node is. What is left out comes from ~/.ssh/config. */
export const hop = z.strictObject({
    host: z.string().min(1),
    port: z.number().int().min(1).max(65_535).optional(),
    user: z.string().min(1).optional(),
    hostKey: z
        .string()
        .regex(/^[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( .*)?$/)
        .transform((key) => key.split(" ", 2).join(" "))
        .optional(),
    identityFile: z.string().min(1).optional(),
    privateKey: z.string().min(1).optional(),
    passphrase: z.string().min(1).optional(),
});
export type Hop = z.output<typeof hop>;

const written = z.union([z.string(), hop]);
const FORMS =
    'write via as "user@host:port", as { host, port, user, hostKey, identityFile, privateKey, passphrase }, or as a list of those';

/** The jump hosts on a way, the one dialled first in front. Text is read as ssh's ProxyJump; "none" and [] mean a direct way. */
export const hops = z.union([written, z.array(written)], { error: FORMS }).transform((value, context): Hop[] =>
    (Array.isArray(value) ? value : [value]).flatMap((each) => {
        if (typeof each !== "string") return [each];
        const parsed = hopsIn(each);
        if (parsed === undefined) context.addIssue({ code: "custom", message: FORMS });
        return parsed ?? [];
    }),
);

/** The hops of a ProxyJump text: `[user@]host[:port]` or `ssh://[user@]host[:port]`, with commas between; undefined when it is none. */
export const hopsIn = (text: string): Hop[] | undefined => {
    if (text.trim().toLowerCase() === "none") return [];
    const parsed = text.split(",").map((each) => hopIn(each.trim()));
    return parsed.every((each) => each !== undefined) ? parsed : undefined;
};

const hopIn = (text: string): Hop | undefined => {
    const rest = text.replace(/^ssh:\/\//i, "").replace(/\/$/, "");
    const at = rest.lastIndexOf("@");
    const [user, place] = at < 0 ? [undefined, rest] : [rest.slice(0, at), rest.slice(at + 1)];
    // More than one colon without brackets is an IPv6 address, which has no port then.
    const [, bracketed, name, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(place) ?? [];
    const host = bracketed ?? name ?? (isIP(place) === 6 ? place : undefined);
    const port = digits === undefined ? undefined : Number(digits);
    if (host === undefined || /\s/.test(host) || user === "" || (port !== undefined && (port < 1 || port > 65_535))) return undefined;
    return { host, ...(user !== undefined && { user }), ...(port !== undefined && { port }) };
};
