import { asZeroformError } from "../../protocol/errors.ts";
import { isForAddress } from "../../schema/tls.ts";
import { isWildcard, type zdb } from "../../schema/zdb.ts";
import type { Os } from "../os/os.ts";
import type { Observation } from "./driver.ts";
import { scrubbed, stateInWords } from "./zdb-damage.ts";
import { type Amounts, lacking, parseLimits, unkept } from "./zdb-limits.ts";
import { namespaceOf, serverOf, type Zdb, type ZdbServer } from "./zdb-places.ts";
import { type Digests, differing, type Info, parseDigests, parseInfo, provesPassword } from "./zdb-properties.ts";
import { isOnDisk, UNOPENED } from "./zdb-server.ts";
import { configOf, instanceOf, TEMPLATE } from "./zdb-units.ts";

/** What the node shows about one server. */
export interface ServerFacts {
    readonly mounted: boolean;
    /** What its unit does instead of running, with the journal's last words. */
    readonly down: { readonly sub: string; readonly lastWords: string } | undefined;
    readonly installed: boolean;
    /** What it says of the namespaces that were asked for; `undefined`: it has no such namespace. Or why it says nothing. */
    readonly answer: { readonly namespaces: ReadonlyMap<string, Info | undefined> } | { readonly silent: string };
    /** Namespaces whose directory is on the disk although the server knows none of that name. */
    readonly unopened: ReadonlySet<string>;
    readonly digests: Digests;
    /** What it may take, where one of those asked for wants to know. */
    readonly limits: Amounts;
}

/** By server id; with the node's addresses, for people who mistyped one. */
export interface ZdbFacts {
    readonly servers: ReadonlyMap<string, ServerFacts>;
    readonly addresses: readonly string[];
    /** Controllers of cgroup v2, where a limit needs one. */
    readonly controllers: readonly string[];
}

export const gatherZdbs = async (os: Os, resources: readonly Zdb[]): Promise<ZdbFacts> => {
    if (resources.length === 0) return { servers: new Map(), addresses: [], controllers: [] };
    const isLimited = new Set(resources.flatMap((resource) => (resource.spec.limits ? serverOf(resource).id : [])));
    const [mounts, template, controllers] = await Promise.all([
        os.mounts.list(),
        os.systemd.installed(TEMPLATE),
        isLimited.size > 0 ? os.systemd.controllers() : [],
    ]);
    const groups = await Promise.all(
        [...Map.groupBy(resources, (resource) => serverOf(resource).id)].flatMap(([, [first, ...rest]]) => {
            if (first === undefined) return [];
            const server = serverOf(first);
            return [ask(os, server, [first, ...rest].map(namespaceOf)).then((answer) => ({ server, answer }))];
        }),
    );
    // Who answers runs; systemd is asked about the others only, because asking costs more than all the rest.
    const states = groups.some(({ answer }) => "silent" in answer) ? await os.systemd.states() : undefined;
    const servers = await Promise.all(
        groups.map(async ({ server, answer }): Promise<[string, ServerFacts]> => {
            const running = "namespaces" in answer || states?.get(server.unit)?.active === "active";
            const unknown = "namespaces" in answer ? [...answer.namespaces].flatMap(([name, info]) => (info ? [] : name)) : [];
            const [config, instance, digests, limits, lastWords, ...onDisk] = await Promise.all([
                os.files.readText(server.config),
                os.systemd.installed(instanceOf(server)),
                os.files.readText(server.digests),
                isLimited.has(server.id) ? os.systemd.limits(server.unit) : undefined,
                running ? "" : os.systemd.lastWords(server.unit),
                ...unknown.map((name) => isOnDisk(server, os, name)),
            ]);
            const facts: ServerFacts = {
                mounted: server.mountPoint === undefined || mounts.has(server.mountPoint),
                down: running ? undefined : { sub: states?.get(server.unit)?.sub ?? "dead", lastWords },
                installed: template && instance && config === configOf(server),
                answer,
                unopened: new Set(unknown.filter((_, index) => onDisk[index])),
                digests: parseDigests(digests),
                limits: parseLimits(limits),
            };
            return [server.id, facts];
        }),
    );
    return { servers: new Map(servers), addresses: os.ports.addresses(), controllers };
};

const ask = async (os: Os, server: ZdbServer, names: readonly string[]): Promise<ServerFacts["answer"]> => {
    try {
        const replies = await os.redis.ask(
            server.adminSocket,
            names.map((name) => ["NSINFO", name]),
        );
        return { namespaces: new Map(names.map((name, index) => [name, infoOf(replies[index])])) };
    } catch (failure) {
        return { silent: asZeroformError(failure).message };
    }
};

const infoOf = (reply: unknown): Info | undefined => (typeof reply === "string" ? parseInfo(reply) : undefined);

/** Judges a Zdb by the facts alone. */
export const observeZdb = (resource: Zdb, { servers, addresses, controllers }: ZdbFacts): Observation<typeof zdb> => {
    const facts = servers.get(serverOf(resource).id);
    if (facts === undefined) return { state: "absent" };
    const namespace = namespaceOf(resource);
    const outputs = { namespace };
    const drifted = (why: string) => ({ state: "drifted" as const, why, outputs });

    if (!facts.mounted) return drifted("its ZMount is not mounted");
    if (facts.down) return drifted(`its server does not run (${facts.down.sub})${tail(facts.down.lastWords)}`);
    if ("silent" in facts.answer) return drifted(`its server does not answer: ${facts.answer.silent}`);
    const info = facts.answer.namespaces.get(namespace);
    // What is on the disk is not gone, whatever keeps the server from it; what was removed there is made anew.
    if (info === undefined) return drifted(facts.unopened.has(namespace) ? UNOPENED : REMOVED);
    if (!facts.installed) return drifted("its server's unit or parameters are gone or changed");
    const lack = lacking(resource.spec.limits, facts.limits);
    if (lack !== undefined) return drifted(lack);

    // First, because it explains what else is missing: of a namespace that cannot be opened nothing is known.
    const state = info.get("state") ?? "ok";
    if (state !== "ok") return drifted(stateInWords(resource, state));

    const [different] = differing(resource, info);
    if (different) return drifted(`${different.name} is ${info.get(different.shownAs) || "not set"}`);
    if (info.get("password") !== "yes") return drifted("its password is not set");
    if (resource.spec.password !== undefined && !provesPassword(facts.digests.get(resource.life), resource.spec.password)) {
        return drifted("its password is not known to be set");
    }
    const listening = info.get("listening") ?? "no";
    if (listening !== "yes") return drifted(`it cannot be reached: ${listening}${hintOf(listening, addresses)}`);
    const notes = [...unkept(resource.spec.limits, controllers), ...unfitting(resource), ...scrubbed(resource, info)];
    return { state: "ready", outputs, ...(notes.length > 0 && { notes }) };
};

/** Wildcards are no address that anybody connects by. */
const unfitting = ({ spec: { tls, listen } }: Zdb): readonly string[] =>
    tls === undefined || isWildcard(listen) || isForAddress(tls, listen)
        ? []
        : [`its certificate is not for ${listen}: clients that check it have to connect by a name that is in it`];

const REMOVED = "its server has no namespace of that name: a new one is empty";

const tail = (words: string): string => (words === "" ? "" : `: ${words}`);

const hintOf = (listening: string, addresses: readonly string[]): string =>
    listening.includes("EADDRNOTAVAIL") ? `; this node has the addresses ${addresses.join(", ")}` : "";
