import { describe, expect, it } from "vitest";
import { formatResourceId, mintLife, mintMachineId, mintTenantId } from "../../protocol/ids.ts";
import { makeCertificate } from "../../test/zdb/certificates.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import type { Observation, Resource } from "./driver.ts";
import { observeZdb, type ServerFacts, type ZdbFacts } from "./zdb-observe.ts";
import { namespaceOf, placeNow, serverOf, trashedNamespace, type Zdb } from "./zdb-places.ts";
import { differing, digestOf, formatDigests, parseDigests, parseInfo, propertiesOf, provesPassword, unknownTo } from "./zdb-properties.ts";
import { configOf, instanceOf, TEMPLATE } from "./zdb-units.ts";

const PASSWORD = "correct-horse-battery";

const zdb = (spec: Partial<Zdb["spec"]> = {}, more: Partial<Zdb> = {}): Zdb => ({
    life: mintLife(),
    tenant: mintTenantId(),
    kind: "Zdb",
    urn: "urn:events",
    name: "events",
    spec: {
        node: "",
        nodeMachine: undefined,
        mount: undefined,
        size: "8MiB",
        oversubscribe: false,
        mode: "user",
        password: PASSWORD,
        public: false,
        worm: false,
        access: "open",
        durability: "interval 1s",
        history: "none",
        hook: undefined,
        listen: "10.0.0.11",
        port: 9900,
        tls: undefined,
        limits: undefined,
        ...spec,
    },
    uses: {},
    ...more,
});

const zmount = (): Resource => ({
    life: mintLife(),
    tenant: mintTenantId(),
    kind: "ZMount",
    urn: "urn:disk",
    name: "disk",
    spec: {} as never,
    uses: {},
});

/** As the engine prints it. */
const INFO = `# namespace
name: events
entries: 12
public: no
worm: no
locked: no
password: yes
data_size_bytes: 6144
data_size_mb: 0.01
data_limits_bytes: 8388608
mode: userkey
access: open
durability: interval 1s
history: none
hook: none
tls: none
state: ok
listen: 10.0.0.11:9900
listening: yes
`;

const facts = (resource: Zdb, changes: Partial<ServerFacts> = {}, info: string | undefined = INFO): ZdbFacts => ({
    addresses: ["127.0.0.1", "10.0.0.12"],
    controllers: ["cpu", "memory"],
    servers: new Map([
        [
            serverOf(resource).id,
            {
                mounted: true,
                down: undefined,
                installed: true,
                answer: { namespaces: new Map([[namespaceOf(resource), info === undefined ? undefined : parseInfo(info)]]) },
                unopened: new Set(),
                digests: new Map([[resource.life, digestOf(PASSWORD)]]),
                limits: {},
                ...changes,
            },
        ],
    ]),
});

describe("a Zdb", () => {
    const servers: readonly { readonly when: string; readonly changes: Partial<ServerFacts>; readonly is: string }[] = [
        { when: "as desired", changes: {}, is: "ready" },
        {
            when: "its mount is gone",
            changes: { mounted: false, down: { sub: "dead", lastWords: "" } },
            is: "its ZMount is not mounted",
        },
        {
            when: "its server falls again and again",
            changes: { down: { sub: "auto-restart", lastWords: "zdb: no room" } },
            is: "its server does not run (auto-restart): zdb: no room",
        },
        { when: "its server is silent", changes: { answer: { silent: "silent for 10 s" } }, is: "does not answer: silent for 10 s" },
        { when: "its unit was changed", changes: { installed: false }, is: "unit or parameters" },
        { when: "its password was never set", changes: { digests: new Map() }, is: "password is not known to be set" },
        { when: "the server has no such namespace", changes: { answer: { namespaces: new Map() } }, is: "has no namespace of that name" },
    ];
    it.each(servers)("is judged when $when", ({ changes, is }) => {
        const resource = zdb();
        expect(wordsOf(observeZdb(resource, facts(resource, changes)))).toContain(is);
    });

    const lines: readonly { readonly line: string; readonly now: string; readonly is: string }[] = [
        { line: "public: no", now: "public: yes", is: "public is yes" },
        { line: "data_limits_bytes: 8388608", now: "data_limits_bytes: 0", is: "maxsize is 0" },
        { line: "mode: userkey", now: "mode: sequential", is: "mode is sequential" },
        { line: "durability: interval 1s", now: "durability: none", is: "durability is none" },
        { line: "history: none", now: "history: count 2", is: "history is count 2" },
        { line: "hook: none", now: "hook: /bin/true", is: "hook is /bin/true" },
        { line: "tls: none", now: "tls: sha256:ab", is: "tls is sha256:ab" },
        { line: "worm: no", now: "worm: yes", is: "worm is yes" },
        { line: "access: open", now: "access: frozen", is: "access is frozen" },
        { line: "listen: 10.0.0.11:9900", now: "listen: ", is: "listen is not set" },
        { line: "password: yes", now: "password: no", is: "password is not set" },
        { line: "state: ok", now: "state: read-only (EIO)", is: "read-only (EIO)" },
        {
            line: "state: ok",
            now: "state: read-only (the log is damaged at d0 offset 128, record 1: bytes that are no record)",
            is: "zdb repair /var/lib/zeroform/zdb/",
        },
        {
            line: "listening: yes",
            now: "listening: no (10.0.0.11:9900 cannot be listened on (EADDRNOTAVAIL), retrying)",
            is: "EADDRNOTAVAIL), retrying); this node has the addresses 127.0.0.1, 10.0.0.12",
        },
    ];
    it.each(lines)("is judged when NSINFO says $now", ({ line, now, is }) => {
        const resource = zdb();
        expect(INFO).toContain(line);
        const seen = observeZdb(resource, facts(resource, {}, INFO.replace(line, now)));
        expect(seen.state).toBe("drifted");
        expect(wordsOf(seen)).toContain(is);
    });

    it("is as desired on a server of an older release, as long as it wants nothing that came later", () => {
        const old = INFO.replace("access: open\n", "");
        const seen = (resource: Zdb) => observeZdb(resource, facts(resource, {}, old));
        expect(seen(zdb()).state).toBe("ready");
        const locked = zdb({ access: "locked" });
        expect(wordsOf(seen(locked))).toBe("access is not set");
        expect(unknownTo(parseInfo(old), differing(locked, parseInfo(old))).map(({ name }) => name)).toEqual(["access"]);
        // One that says nothing because its log cannot be read is no older one.
        const unavailable = parseInfo("# namespace\nname: events\nstate: unavailable (EIO, retrying)\n");
        expect(unknownTo(unavailable, differing(locked, unavailable))).toEqual([]);
    });

    it("says what to run when the slow reading of its files has found damage", () => {
        const resource = zdb();
        const seen = observeZdb(
            resource,
            facts(resource, {}, INFO.replace("state: ok", "state: ok\nscrub: 2 damaged (through at 1764529999)")),
        );
        const { unit, data, index } = serverOf(resource);
        const repair = `runuser -u zeroform-zdb -- /var/lib/zeroform/current/zeroform-agent zdb repair ${data} --index ${index} --namespace ${namespaceOf(resource)}`;
        expect(seen).toEqual({
            state: "ready",
            outputs: { namespace: namespaceOf(resource) },
            notes: [
                "2 of its records on the disk are damaged, and keys that they hold answer an error: " +
                    `on the node, \`systemctl stop zeroform-agent.service ${unit}\`, then \`${repair}\` says what can be had back and what is lost, ` +
                    `\`--apply\` behind it repairs it, and \`systemctl start ${unit} zeroform-agent.service\` goes on`,
            ],
        });
    });

    it("says when clients that check its certificate cannot connect by its address", () => {
        const { cert, key } = makeCertificate(temporaryDirectory(), "db");
        const tls = { certificate: cert, privateKey: key };
        const seen = (spec: Partial<Zdb["spec"]>) => {
            const resource = zdb({ tls, ...spec });
            const [property] = propertiesOf(resource).filter(({ name }) => name === "tls");
            const info = INFO.replace("tls: none", `tls: ${property?.shown}`).replace(
                "listen: 10.0.0.11",
                `listen: ${resource.spec.listen}`,
            );
            return observeZdb(resource, facts(resource, {}, info));
        };
        const outputs = { namespace: expect.any(String) };
        const notes = ["its certificate is not for 10.0.0.11: clients that check it have to connect by a name that is in it"];
        expect(seen({})).toEqual({ state: "ready", outputs, notes });
        for (const listen of ["127.0.0.1", "0.0.0.0"]) expect(seen({ listen })).toEqual({ state: "ready", outputs });
    });

    it("that asks for limits is as desired where its server has them or more, and says what the machine cannot keep", () => {
        const resource = zdb({ limits: { memory: "512MiB", ioWeight: 50 } });
        const seen = (limits: ServerFacts["limits"]) => observeZdb(resource, facts(resource, { limits }));
        expect(wordsOf(seen({}))).toBe("it asks for memory 512MiB, and its server has no such limit");
        expect(wordsOf(seen({ memory: 2 ** 29, ioWeight: 20 }))).toBe("it asks for ioWeight 50, and its server has ioWeight 20");
        expect(seen({ memory: 2 ** 30, cpu: 50, ioWeight: 50 })).toEqual({
            state: "ready",
            outputs: { namespace: namespaceOf(resource) },
            notes: ["this machine has no cgroup v2 controller for io, so it does not keep limits.ioWeight"],
        });
    });

    it("on an IPv6 address is as desired, and one that cannot be opened says why, nothing else", () => {
        const resource = zdb({ listen: "::1" });
        const info = INFO.replace("10.0.0.11:9900", '"[::1]:9900"');
        expect(observeZdb(resource, facts(resource, {}, info)).state).toBe("ready");
        const unavailable = "# namespace\nname: events\nstate: unavailable (its directory cannot be opened (EIO), retrying)\n";
        const seen = observeZdb(resource, facts(resource, {}, unavailable));
        expect(wordsOf(seen)).toBe("unavailable (its directory cannot be opened (EIO), retrying)");
    });

    it("whose password was changed by its program has drifted, and tells no secret", () => {
        const resource = zdb({ password: "another-password" });
        const seen = observeZdb(resource, facts(resource));
        expect(seen.state).toBe("drifted");
        expect(JSON.stringify(seen)).not.toContain("password-");
    });

    it("has its namespace's name from its own name and life, safe for servers, URLs and directories", () => {
        const life = mintLife();
        const suffix = life.slice(1, 7);
        expect(namespaceOf({ name: "events", life })).toBe(`events-${suffix}`);
        expect(namespaceOf({ name: "../.. %i;$(x) ü", life })).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/);
        expect(namespaceOf({ name: "/", life })).toBe(`zdb-${suffix}`);
        expect(namespaceOf({ name: "x".repeat(300), life }).length).toBeLessThan(128);
    });

    it("shares its server with the same tenant on the same mount only", () => {
        const [mount, tenant] = [zmount(), mintTenantId()];
        const on = (spec: Partial<Zdb>) => serverOf(zdb({}, { tenant, ...spec })).id;
        expect(on({ uses: { mount } })).toBe(on({ uses: { mount } }));
        expect(on({ uses: { mount } })).not.toBe(on({ uses: { mount: zmount() } }));
        expect(on({ uses: { mount } })).not.toBe(on({}));
        expect(on({})).not.toBe(on({ tenant: mintTenantId() }));
        const forgotten = zdb({ mount: formatResourceId(mintMachineId(), tenant, mount.life) }, { tenant });
        expect(serverOf(forgotten).id).toBe(on({ uses: { mount } }));
    });

    it("leaves trash that is found on the mount that has been exchanged too", () => {
        const [mount, other] = [zmount(), zmount()];
        const resource = zdb({}, { uses: { mount } });
        const place = trashedNamespace(resource);
        expect(place).toBe(`/var/lib/zeroform/mounts/${mount.life}/zdb/.trash/${resource.life}`);
        expect(placeNow({ resource, place })).toBe(place);
        expect(placeNow({ resource: { ...resource, uses: { mount: other } }, place })).toBe(place.replace(mount.life, other.life));
        const onNode = zdb();
        expect(placeNow({ resource: onNode, place: trashedNamespace(onNode) })).toBe(`/var/lib/zeroform/zdb/.trash/${onNode.life}`);
    });

    it("has a server whose unit and parameters hold neither a user's words nor a secret", () => {
        const resource = zdb({}, { name: "%i; $(reboot)", uses: { mount: zmount() } });
        const server = serverOf(resource);
        const instance = instanceOf(server);
        const all = JSON.stringify([TEMPLATE, instance, configOf(server)]);
        for (const hidden of [PASSWORD, "reboot", resource.life]) expect(all).not.toContain(hidden);
        expect(TEMPLATE.text).not.toContain(server.id);
        const own = `[Service]\nEnvironment=HOME_OF_SERVER=`;
        expect(instance.dropIn).toBe(
            `[Unit]\nBindsTo=${server.mountUnit}\nAfter=${server.mountUnit}\nAssertPathIsMountPoint=${server.mountPoint}\n\n${own}${server.home}\n`,
        );
        const onNode = serverOf(zdb());
        expect(instanceOf(onNode).dropIn).toBe(`${own}/var/lib/zeroform/zdb/${onNode.id}\n`);
    });

    it("becomes reachable after everything else about it is set", () => {
        expect(propertiesOf(zdb()).at(-1)?.name).toBe("listen");
        expect(propertiesOf(zdb({ listen: "::1" })).at(-1)?.set).toEqual(["listen", "[::1]:9900"]);
    });

    it("keeps proofs of passwords that are no passwords", () => {
        const [one, two] = [mintLife(), mintLife()];
        const digests = new Map([
            [one, digestOf(PASSWORD)],
            [two, digestOf(PASSWORD)],
        ]);
        const read = parseDigests(formatDigests(digests));
        expect(read).toEqual(digests);
        expect(read.get(one)).not.toBe(read.get(two));
        expect(provesPassword(read.get(one), PASSWORD)).toBe(true);
        expect(provesPassword(read.get(one), `${PASSWORD}!`)).toBe(false);
        expect(provesPassword(undefined, PASSWORD)).toBe(false);
        expect(provesPassword("damaged", PASSWORD)).toBe(false);
        expect(parseDigests(undefined).size).toBe(0);
    });
});

const wordsOf = (seen: Observation<never>): string => (seen.state === "drifted" ? seen.why : seen.state);
