import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import type { Life } from "../../protocol/ids.ts";
import { bytesOf } from "../../schema/quantity.ts";
import type { Zdb } from "./zdb-places.ts";

/** What a power loss may take. */
const DURABILITY = "interval 1s";

/** A property of a namespace: how NSSET is told, and how NSINFO shows it. */
export interface Property {
    readonly name: "mode" | "maxsize" | "public" | "durability" | "listen";
    readonly value: string;
    readonly shownAs: string;
    readonly shown: string;
}

/** What a namespace shall be, in the order in which it may become so: it is reachable last. The password is apart, nothing shows it. */
export const propertiesOf = ({ spec }: Zdb): readonly Property[] => [
    { name: "mode", value: spec.mode, shownAs: "mode", shown: spec.mode === "seq" ? "sequential" : "userkey" },
    { name: "maxsize", value: String(bytesOf(spec.size)), shownAs: "data_limits_bytes", shown: String(bytesOf(spec.size)) },
    { name: "public", value: spec.public ? "1" : "0", shownAs: "public", shown: spec.public ? "yes" : "no" },
    { name: "durability", value: DURABILITY, shownAs: "durability", shown: DURABILITY },
    { name: "listen", value: authorityOf(spec), shownAs: "listen", shown: authorityOf(spec) },
];

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

/** The properties that are not as they shall be. */
export const differing = (resource: Zdb, info: Info): readonly Property[] =>
    propertiesOf(resource).filter(({ shownAs, shown }) => info.get(shownAs) !== shown);

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
