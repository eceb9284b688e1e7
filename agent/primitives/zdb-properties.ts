import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import type { Life } from "../../protocol/ids.ts";
import { bytesOf } from "../../schema/quantity.ts";
import { retentionText } from "../../schema/retention.ts";
import type { Tls } from "../../schema/tls.ts";
import type { Zdb } from "./zdb-places.ts";

/** A property of a namespace: how NSSET is told, and how NSINFO shows it. */
export interface Property {
    /** What a person calls it. */
    readonly name: string;
    readonly set: readonly [property: string, value: string];
    readonly shownAs: string;
    readonly shown: string;
    /** What a server that does not show it has: one of an older release, which goes on until its next start. */
    readonly unshown?: string;
}

/** What a namespace shall be, in the order in which it may become so: it is reachable last. The password is apart, nothing shows it. */
export const propertiesOf = ({ spec }: Zdb): readonly Property[] => {
    const { mode, size, worm, access, durability, tls, history, hook } = spec;
    const limit = String(bytesOf(size));
    return [
        { name: "mode", set: ["mode", mode], shownAs: "mode", shown: mode === "seq" ? "sequential" : "userkey" },
        { name: "maxsize", set: ["maxsize", limit], shownAs: "data_limits_bytes", shown: limit },
        switched("public", spec.public),
        switched("worm", worm),
        {
            name: "access",
            set: access === "frozen" ? ["freeze", "1"] : ["lock", flag(access === "locked")],
            ...alike("access", access, "open"),
        },
        { name: "durability", set: ["durability", durability], ...alike("durability", durability) },
        { name: "history", set: ["history", retentionText(history)], ...alike("history", retentionText(history), "none") },
        { name: "hook", set: ["hook", hook ?? "*"], ...alike("hook", hook ?? "none", "none") },
        { name: "tls", set: ["tls", tls === undefined ? "*" : tlsText(tls)], ...alike("tls", tlsDigest(tls), "none") },
        { name: "listen", set: ["listen", authorityOf(spec)], ...alike("listen", authorityOf(spec)) },
    ];
};

const tlsText = ({ certificate, privateKey, clientCa }: Tls): string =>
    JSON.stringify({ cert: certificate, key: privateKey, ca: clientCa });

/** What a server tells of it: nothing of the key, which belongs to its certificate. */
const tlsDigest = (tls: Tls | undefined): string =>
    tls === undefined
        ? "none"
        : `sha256:${createHash("sha256")
              .update(JSON.stringify([tls.certificate, tls.clientCa ?? ""]))
              .digest("hex")}`;

const flag = (on: boolean): string => (on ? "1" : "0");
const switched = (name: string, on: boolean): Property => ({ name, set: [name, flag(on)], shownAs: name, shown: on ? "yes" : "no" });
const alike = (shownAs: string, shown: string, unshown?: string) => ({ shownAs, shown, ...(unshown !== undefined && { unshown }) });

/** `10.0.0.1:9900`, `[::1]:9900` */
export const authorityOf = ({ listen, port }: Pick<Zdb["spec"], "listen" | "port">): string =>
    isIP(listen) === 6 ? `[${listen}]:${port}` : `${listen}:${port}`;

export type Info = ReadonlyMap<string, string>;

/** The `key: value` lines of NSINFO, which is YAML: text with brackets is in double quotes. */
export const parseInfo = (text: string): Info =>
    new Map(
        text.split(/\r?\n/).flatMap((line): [string, string][] => {
            const colon = line.indexOf(":");
            return colon > 0 ? [[line.slice(0, colon), unquoted(line.slice(colon + 1).trim())]] : [];
        }),
    );

const unquoted = (text: string): string => text.replace(/^"(.*)"$/, "$1");

/** What a server shows of a namespace that was made without properties; its durability is the server's. */
export const NEW_NAMESPACE: Info = new Map([
    ["mode", "userkey"],
    ["data_limits_bytes", "0"],
    ["public", "yes"],
    ["worm", "no"],
    ["access", "open"],
    ["tls", "none"],
]);

/** The properties that are not as they shall be. */
export const differing = (resource: Zdb, info: Info): readonly Property[] =>
    propertiesOf(resource).filter(({ shownAs, shown, unshown }) => (info.get(shownAs) ?? unshown) !== shown);

/** Properties that its server cannot have: it runs a program of an older release. */
export const unknownTo = (info: Info, properties: readonly Property[]): readonly Property[] =>
    properties.filter(({ shownAs, unshown }) => unshown !== undefined && info.has("mode") && !info.has(shownAs));

/** Proofs of the passwords that were set last, by life. */
export type Digests = ReadonlyMap<Life, string>;

const SALT_BYTES = 16;

export const parseDigests = (text: string | undefined): Digests =>
    new Map(
        (text ?? "").split("\n").flatMap((line): [Life, string][] => {
            const [life, digest] = line.split(" ");
            return life && digest ? [[life as Life, digest]] : [];
        }),
    );

export const formatDigests = (digests: Digests): string => [...digests].map(([life, digest]) => `${life} ${digest}\n`).join("");

export const digestOf = (password: string, salt: Buffer = randomBytes(SALT_BYTES)): string =>
    `${salt.toString("hex")}:${createHmac("sha256", salt).update(password).digest("hex")}`;

export const provesPassword = (digest: string | undefined, password: string): boolean => {
    const [salt] = (digest ?? "").split(":");
    if (digest === undefined || !salt) return false;
    const expected = Buffer.from(digestOf(password, Buffer.from(salt, "hex")));
    const given = Buffer.from(digest);
    return expected.length === given.length && timingSafeEqual(expected, given);
};
