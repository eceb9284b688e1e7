import { isIP } from "node:net";
import { ZeroformError } from "../../protocol/errors.ts";
import type { Life } from "../../protocol/ids.ts";
import { tlsTerms } from "../../schema/tls.ts";
import type { Listener } from "../os/ports.ts";
import type { Context } from "./driver.ts";
import { sharesServer, type Zdb } from "./zdb-places.ts";
import { authorityOf } from "./zdb-properties.ts";

const FIRST_PORT = 9_900;
const LAST_PORT = 65_535;

/** Where a server of ours listens already nobody else does: a look at what listens may be so old. */
const OURS_FRESH_MS = 5_000;

/** What holds an address and port, in words; `undefined`: it is free or our own. */
type Holder = { readonly words: string; readonly life?: Life } | undefined;

/** The port that a Zdb gets: its own, its old one, or its server's. Refuses one that somebody else holds. */
export const admitPort = async (wanted: Zdb, old: Zdb | undefined, context: Context): Promise<number> => {
    let now: Promise<readonly Listener[]> | undefined;
    const listening = (isOurs: boolean) => {
        if (isOurs) return context.os.ports.listeners(OURS_FRESH_MS);
        now ??= context.os.ports.listeners();
        return now;
    };
    const others = (context.resources("Zdb") as readonly Zdb[]).filter(({ life }) => life !== wanted.life);
    const own = others.filter((other) => sharesServer(other, wanted));

    const holderOf = async (port: number): Promise<Holder> => {
        const address = { listen: wanted.spec.listen, port };
        let isOurs = false;
        for (const other of others) {
            if (!clash(address, other.spec)) continue;
            const shared = sharesServer(other, wanted) && authorityOf(other.spec) === authorityOf(address);
            if (shared && termsOf(other) === termsOf(wanted)) {
                isOurs = true;
                continue;
            }
            const whose = other.tenant === wanted.tenant ? "the same" : "another";
            const words = `Zdb "${other.name}" of ${whose} Node (tenant ${other.tenant})${shared ? apart(other, wanted) : ""}`;
            return { words, life: other.life };
        }
        const found = (await listening(isOurs)).find((listener) => clash(address, { listen: listener.address, port: listener.port }));
        if (found === undefined) return undefined;
        const ours = [...own, ...(old === undefined ? [] : [old])].some(
            ({ spec }) => spec.port === found.port && spec.listen === found.address,
        );
        return ours ? undefined : { words: await context.os.ports.holder(found) };
    };

    const given = wanted.spec.port ?? old?.spec.port;
    const port = given ?? (await freePort(own, holderOf));
    const holder = given === undefined ? undefined : await holderOf(given);
    if (holder !== undefined) {
        throw new ZeroformError({
            code: "CONFLICT",
            message: `${authorityOf({ listen: wanted.spec.listen, port })} is held by ${holder.words}`,
            hint: `Write another port or listen address${holder.life === undefined ? "" : `, or run \`zeroform remove ${holder.life}\` when no program has that any more`}.`,
        });
    }
    return port;
};

const termsOf = ({ spec: { tls } }: Zdb): string => (tls === undefined ? "plain TCP" : tlsTerms(tls));

/** What of two Zdbs on one address keeps them from sharing it. */
const apart = (other: Zdb, wanted: Zdb): string => {
    if (other.spec.tls === undefined) return ", which speaks plain TCP there";
    if (wanted.spec.tls === undefined) return ", which speaks TLS there";
    return ", whose certificate there is for other names, or which asks clients for other ones";
};

const freePort = async (own: readonly Zdb[], holderOf: (port: number) => Promise<Holder>): Promise<number> => {
    const used = own.flatMap(({ spec }) => (spec.port !== undefined && spec.port >= FIRST_PORT ? [spec.port] : []));
    for (const port of new Set(used.sort((a, b) => a - b))) if ((await holderOf(port)) === undefined) return port;
    for (let port = FIRST_PORT; port <= LAST_PORT; port++) if ((await holderOf(port)) === undefined) return port;
    throw new ZeroformError({ code: "CONFLICT", message: `no port from ${FIRST_PORT} up is free`, hint: "Write a port." });
};

interface Address {
    readonly listen: string;
    readonly port?: number | undefined;
}

/** Whether two listeners cannot both be. A wildcard is every address of its family, and `::` is IPv4's too. */
export const clash = (one: Address, other: Address): boolean => {
    if (one.port !== other.port) return false;
    const [a, b] = [one.listen, other.listen].map(canonical);
    if (a === b || a === "::" || b === "::") return true;
    if (a === "0.0.0.0") return isIP(b ?? "") === 4;
    return b === "0.0.0.0" && isIP(a ?? "") === 4;
};

/** One text for each IPv6 address. */
const canonical = (address: string): string => (isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address);
