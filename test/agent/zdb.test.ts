import { Redis, type RedisOptions } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Resource } from "../../agent/primitives/driver.ts";
import { namespaceOf, serverOf, trashedNamespace, type Zdb } from "../../agent/primitives/zdb-places.ts";
import { mountPointOf } from "../../agent/primitives/zmount-places.ts";
import { powerOff, powerOn } from "../../dev/hosts/index.ts";
import { mintLife, mintTenantId } from "../../protocol/ids.ts";
import { prefixOf } from "../prefix.ts";
import { type Certificate, makeCertificate, makeCertificateOf } from "../zdb/certificates.ts";
import { temporaryDirectory } from "../zdb/temporary.ts";
import { changed, Rig } from "./driver/rig.ts";

const asZdb = (resource: Resource): Zdb => resource as unknown as Zdb;

describe("a Zdb on a real host", () => {
    let rig: Rig;
    let mount: Resource;
    beforeAll(async () => {
        rig = await Rig.start(prefixOf("d"), 2 * 2 ** 30);
        mount = rig.mount("disk", "256MiB");
        await rig.run("apply", mount);
    });
    afterAll(() => rig?.stop());

    /** Everything that is desired of the kind, as the agent would know it. */
    let desired: Resource[] = [];
    const run: Rig["run"] = (verb, resource, options = {}) => rig.run(verb, resource, { resources: desired, ...options });
    const put = (resource: Resource) => {
        desired = [...desired.filter(({ life }) => life !== resource.life), resource];
        return resource;
    };
    const admitted = async (resource: Resource, old?: Resource): Promise<Resource> => {
        const spec = await run("admit", resource, old === undefined ? {} : { old });
        return put({ ...resource, spec: spec as Resource["spec"] });
    };
    const made = async (name: string, spec: Readonly<Record<string, unknown>>, on?: Resource): Promise<Resource> => {
        const resource = await admitted(rig.zdb(name, { listen: rig.host.address, ...spec }, on));
        await run("apply", resource);
        await isReady(resource);
        return resource;
    };
    const removed = async (resource: Resource, options: { readonly keep?: boolean } = {}) => {
        desired = desired.filter(({ life }) => life !== resource.life);
        await run("remove", resource, options);
    };
    const isReady = async (resource: Resource) => {
        const notes = asZdb(resource).spec.tls ? { notes: [expect.stringContaining("its certificate is not for")] } : {};
        const outputs = { namespace: namespaceOf(asZdb(resource)) };
        expect(await run("observe", resource)).toEqual({ state: "ready", outputs, ...notes });
    };
    const why = async (resource: Resource) => {
        const seen = (await run("observe", resource)) as { readonly state: string; readonly why?: string };
        return seen.why ?? seen.state;
    };
    const client = async <T>(
        resource: Resource,
        use: (redis: Redis) => Promise<T>,
        { password: given, ...more }: Pick<RedisOptions, "password" | "tls"> = {},
    ): Promise<T> => {
        const { port, password } = asZdb(resource).spec;
        const redis = new Redis({
            host: rig.host.address,
            port: port ?? 0,
            username: namespaceOf(asZdb(resource)),
            password: given ?? password ?? "",
            ...more,
            lazyConnect: true,
            connectTimeout: 2_000,
            maxRetriesPerRequest: 0,
            retryStrategy: () => null,
        });
        redis.on("error", () => undefined);
        try {
            await redis.connect();
            return await use(redis);
        } finally {
            redis.disconnect();
        }
    };
    const unauthenticated = async <T>(resource: Resource, use: (redis: Redis) => Promise<T>): Promise<T> => {
        const redis = new Redis({ host: rig.host.address, port: asZdb(resource).spec.port ?? 0, retryStrategy: () => null });
        redis.on("error", () => undefined);
        try {
            return await use(redis);
        } finally {
            redis.disconnect();
        }
    };
    /** What a server answers to its administrator. */
    const administer = (socket: string, words: readonly string[]): Promise<string> =>
        rig.sh(
            `python3 -c 'import socket,sys
s=socket.socket(socket.AF_UNIX); s.connect("${socket}"); s.sendall(sys.stdin.buffer.read()); print(s.recv(65536).decode().strip())'`,
            `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`,
        );
    const get = (resource: Resource, key: string) => client(resource, (redis) => redis.get(key));

    it("is made with a password and port of its own, and serves its namespace to those who know them", async () => {
        const [one, two] = [await made("one", {}, mount), await made("two", { public: true }, mount)];
        expect(asZdb(one).spec).toMatchObject({ port: 9900, password: expect.stringMatching(/^[A-Za-z0-9]{32}$/) });
        expect(asZdb(two).spec.port).toBe(9900);
        expect(serverOf(asZdb(one)).id).toBe(serverOf(asZdb(two)).id);
        await client(one, (redis) => redis.set("key", "of one"));
        expect(await get(one, "key")).toBe("of one");
        expect(await get(two, "key")).toBeNull();
        await expect(client(one, (redis) => redis.get("key"), { password: "wrong-password" })).rejects.toThrow();
        const seen = await rig.sh(
            "ps axww -o args; journalctl -o cat --no-pager; cat /etc/systemd/system/zeroform-zdb@.service /etc/systemd/system/zeroform-*/*.conf",
        );
        for (const each of [one, two]) expect(seen).not.toContain(asZdb(each).spec.password);
        const readable = await rig.sh("stat -c '%U %a' /var/lib/zeroform/services/*");
        expect(readable).toMatch(/^((root|zeroform-zdb) 600\n?)+$/);
        expect(readable).toContain("zeroform-zdb 600");
        // Test hosts lack controllers: that is said, and the limits are asked for all the same.
        await rig.sh(`systemctl stop ${serverOf(asZdb(one)).unit}`);
        const { said } = await rig.runAloud("apply", one, { resources: desired });
        expect(said).toContain("this machine has no cgroup controller for memory and pids: servers run without that limit");
        const limits = await rig.sh(`systemctl show -p TasksMax -p MemoryMax -p MemoryHigh ${serverOf(asZdb(one)).unit}`);
        expect(limits).toMatch(/^MemoryHigh=\d+\nMemoryMax=\d+\nTasksMax=256$/);
        await removed(one);
        await isReady(two);
        await removed(two);
    });

    it("changes in place: password, quota, reach, publicity; never below what is used", async () => {
        const before = await made("changing", {}, mount);
        await client(before, (redis) => redis.set("key", "x".repeat(3 * 2 ** 20)));
        const wanted = changed(before, { password: "rotated-password", size: "16MiB", listen: "0.0.0.0", public: true, port: undefined });
        const after = await admitted(wanted, before);
        expect(asZdb(after).spec.port).toBe(asZdb(before).spec.port);
        await run("apply", after);
        await isReady(after);
        expect((await get(after, "key"))?.length).toBe(3 * 2 ** 20);
        await expect(client(before, (redis) => redis.get("key"))).rejects.toThrow();
        await expect(run("admit", changed(after, { size: "1MiB" }), { old: after })).rejects.toMatchObject({
            code: "INVALID",
            message: expect.stringMatching(/^size 1MiB is less than the \d+(B|KiB|MiB) that are used$/),
        });
        await removed(after);
    });

    it("is as desired again when somebody set or removed something on its server, whose clients stay where they may", async () => {
        const resource = await made("meddled-with", { password: "before-the-rotation" }, mount);
        const name = namespaceOf(asZdb(resource));
        const ask = (...words: readonly string[]) => administer(serverOf(asZdb(resource)).adminSocket, words);
        const meddling: readonly (readonly [readonly string[], string])[] = [
            [["NSSET", name, "maxsize", "0"], "maxsize is 0"],
            [["NSSET", name, "public", "1"], "public is yes"],
            [["NSSET", name, "worm", "1"], "worm is yes"],
            [["NSSET", name, "freeze", "1"], "access is frozen"],
            [["NSSET", name, "durability", "none"], "durability is none"],
            [["NSSET", name, "password", "*"], "password is not set"],
            [["NSSET", name, "listen", "*"], "listen is not set"],
            [["NSDEL", name], "has no namespace of that name"],
        ];
        for (const [words, is] of meddling) {
            expect(await ask(...words), words.join(" ")).toBe("+OK");
            expect(await why(resource), words.join(" ")).toContain(is);
            await run("apply", resource);
            await isReady(resource);
        }
        // Nobody has business in the namespace that every server has.
        await expect(unauthenticated(resource, (redis) => redis.set("key", "lost"))).rejects.toThrow("Namespace default is closed here");
        await expect(unauthenticated(resource, (redis) => redis.get("key"))).rejects.toThrow("Namespace default is closed here");

        await client(resource, async (redis) => {
            await redis.set("key", "before");
            const rotated = await admitted(changed(resource, { password: "after-the-rotation" }), resource);
            await run("apply", rotated);
            await isReady(rotated);
            // On the connection that was there before: it is never made again.
            expect(await redis.get("key")).toBe("before");
            expect(await get(rotated, "key")).toBe("before");
            await expect(client(resource, (late) => late.get("key"))).rejects.toThrow();
            await removed(rotated);
        });
    });

    it("speaks TLS with its own certificate, which is renewed without parting with anybody", async () => {
        const directory = temporaryDirectory();
        const tlsOf = ({ cert, key }: Certificate, clientCa?: string) => ({ certificate: cert, privateKey: key, clientCa });
        const [first, renewed, clients] = [
            makeCertificateOf(2025, directory, "db"),
            makeCertificateOf(2026, directory, "db"),
            makeCertificate(directory, "clients"),
        ];
        const plain = await made("plain", {}, mount);
        const one = await made("one", { tls: tlsOf(first) }, mount);
        const strict = await made("strict", { tls: tlsOf(first, clients.cert) }, mount);
        const ports = [plain, one, strict].map((each) => asZdb(each).spec.port);
        expect(new Set(ports).size).toBe(3);
        await expect(run("admit", changed(one, { port: ports[0] }), { old: one })).rejects.toMatchObject({
            code: "CONFLICT",
            message: expect.stringContaining('Zdb "plain" of the same Node'),
        });
        expect(serverOf(asZdb(one)).id).toBe(serverOf(asZdb(plain)).id);

        // The address of a host is not in the certificate: names are not checked here.
        const over = (ca: string, own: object = {}) => ({ tls: { ca, checkServerIdentity: () => undefined, ...own } });
        await client(
            one,
            async (redis) => {
                await redis.set("key", "sealed");
                const later = await admitted(changed(one, { tls: tlsOf(renewed) }), one);
                await run("apply", later);
                await isReady(later);
                expect(await redis.get("key")).toBe("sealed");
                expect(await client(later, (late) => late.get("key"), over(renewed.cert))).toBe("sealed");
                await expect(client(later, (late) => late.get("key"), over(first.cert))).rejects.toThrow();
            },
            over(first.cert),
        );
        await expect(client(one, (redis) => redis.get("key"))).rejects.toThrow();
        await expect(client(strict, (redis) => redis.get("key"), over(first.cert))).rejects.toThrow();
        const known = over(first.cert, { cert: clients.cert, key: clients.key });
        expect(await client(strict, (redis) => redis.get("key"), known)).toBeNull();

        const [secret = ""] = renewed.key.split("\n").slice(1, 2);
        const { data, config, digests, unit } = serverOf(asZdb(one));
        const seen = await rig.sh(`ps axww -o args; journalctl -o cat --no-pager; cat ${config} ${digests}; cat ${data}/*/d* | strings`);
        expect(seen).not.toContain(secret);
        await rig.sh(`systemctl restart ${unit}`);
        await run("apply", one);
        expect(await client(strict, (redis) => redis.get("key"), known)).toBeNull();
        for (const each of [plain, one, strict]) await removed(each);
    });

    it("is restarted under a client with ioredis's own settings that goes on writing and sees no error", async () => {
        const resource = await made("restarted", { durability: "commit" }, mount);
        const { port, password } = asZdb(resource).spec;
        const url = `redis://${namespaceOf(asZdb(resource))}:${password}@${rig.host.address}:${port}`;
        const redis = new Redis(url);
        let connections = 0;
        let longestMs = 0;
        redis.on("error", () => undefined).on("ready", () => connections++);
        try {
            let [written, isRestarted] = [0, false];
            for (; written < 20; written++) await redis.set(`key-${written}`, `${written}`);
            const restart = rig.sh(`systemctl restart ${serverOf(asZdb(resource)).unit}`).finally(() => {
                isRestarted = true;
            });
            // One after the other, until some went over the connection that was made anew.
            for (let beyond = 0; beyond < 20; written++) {
                const began = performance.now();
                expect(await redis.set(`key-${written}`, `${written}`)).toBe(`key-${written}`);
                longestMs = Math.max(longestMs, performance.now() - began);
                if (isRestarted && connections > 1) beyond++;
            }
            await restart;
            console.log(`a restart under load held up the longest of ${written} commands for ${Math.round(longestMs)} ms`);
            const values = await redis.mget(Array.from({ length: Math.min(written, 1_000) }, (_, index) => `key-${index}`));
            expect(values).toEqual(values.map((_, index) => `${index}`));
        } finally {
            redis.disconnect();
        }
        await removed(resource);
    });

    it("is not given an address that another server has", async () => {
        const holder = await made("holder", { port: 9955, listen: "0.0.0.0" });
        const other = { ...rig.zdb("other", { port: 9955, listen: rig.host.address }), tenant: mintTenantId() };
        await expect(run("admit", other)).rejects.toMatchObject({ code: "CONFLICT", message: expect.stringContaining('Zdb "holder"') });
        await removed(holder);
        await rig.sh(`systemd-run --quiet --unit=squatter python3 -m http.server 9955`);
        await expect(untilRefused(() => run("admit", other))).resolves.toMatch(/held by python3 \(pid \d+\)/);
        await rig.sh("systemctl stop squatter");
        await run("admit", other);
        const away = await admitted(rig.zdb("away", { listen: "192.0.2.1" }));
        await run("apply", away);
        expect(await why(away)).toMatch(/192\.0\.2\.1:\d+ cannot be listened on \(EADDRNOTAVAIL\).*this node has the addresses .*10\.199/);
        await removed(away);
    });

    it("is healed: server killed, stopped, without parameters, without its mount", async () => {
        const resource = await made("hurt", {}, mount);
        const { unit, config, digests } = serverOf(asZdb(resource));
        await client(resource, (redis) => redis.set("key", "kept"));
        await rig.sh(`systemctl kill -s KILL ${unit}; sleep 0.2; while ! systemctl is-active -q ${unit}; do sleep 0.1; done`);
        const drifts = [
            { line: `systemctl stop ${unit}`, is: "its server does not run (dead)" },
            { line: `rm ${config}; systemctl stop ${unit}`, is: "its server does not run" },
            { line: `rm ${config}`, is: "unit or parameters are gone or changed" },
            { line: `rm -r /etc/systemd/system/${unit}.d`, is: "unit or parameters are gone or changed" },
            { line: `rm ${digests}`, is: "its password is not known to be set" },
            { line: `systemctl kill -s STOP ${unit}`, is: "its server does not answer: no answer from the server" },
            { line: `umount -l ${mountPointOf(mount.life)}`, is: "its ZMount is not mounted" },
        ];
        for (const { line, is } of drifts) {
            await rig.sh(line);
            expect(await why(resource), line).toContain(is);
            if (is.includes("not mounted")) {
                await expect(run("apply", resource)).rejects.toThrow("its ZMount is not mounted");
                await rig.run("apply", mount);
            }
            if (is.includes("not answer")) await rig.sh(`systemctl kill -s CONT ${unit}`);
            await run("apply", resource);
            await isReady(resource);
            expect(await get(resource, "key"), line).toBe("kept");
        }
        await removed(resource);
    });

    it("whose log is damaged says what to run, which makes it whole again", async () => {
        const resource = await made("damaged", { durability: "commit" }, mount);
        const { unit, data } = serverOf(asZdb(resource));
        for (const key of ["first", "second", "third"]) await client(resource, (redis) => redis.set(key, `value of ${key}`));
        // An agent that runs would start the server again at once.
        await rig.sh(
            "printf '[Service]\nExecStart=/bin/sleep infinity\n' >/etc/systemd/system/zeroform-agent.service; systemctl daemon-reload; systemctl start zeroform-agent",
        );
        await rig.sh(`systemctl stop ${unit}`);
        await rig.sh(
            `python3 -c 'import sys
file=open(sys.argv[1], "r+b"); log=file.read(); at=log.index(b"second")
file.seek(at); file.write(b"S")' ${data}/${namespaceOf(asZdb(resource))}/d0; systemctl start ${unit}`,
        );
        await run("apply", resource).catch(() => undefined);
        const said = await why(resource);
        expect(said).toContain("read-only (the log is damaged at d0");
        const [stop = "", repair = "", apply = "", start = ""] = [...said.matchAll(/`([^`]+)`/g)].map(([, command]) => command);
        expect(await rig.sh(`${stop}; ${repair} || [ $? = 1 ]`)).toContain("Nothing was changed: --apply does it.");
        expect(await rig.sh(`${repair} ${apply}`)).toContain("repaired");
        await rig.sh(start);
        await run("apply", resource);
        await isReady(resource);
        expect(await client(resource, (redis) => redis.mget("first", "second", "third"))).toEqual([
            "value of first",
            null,
            "value of third",
        ]);
        await client(resource, (redis) => redis.set("second", "again"));
        expect(await get(resource, "second")).toBe("again");
        await rig.sh("systemctl stop zeroform-agent; rm /etc/systemd/system/zeroform-agent.service; systemctl daemon-reload");
        await removed(resource);
    });

    it("tells a program of its own, which may do what its server may and no more", async () => {
        const hook = "/usr/local/bin/told";
        await rig.sh(
            `cat >${hook}; chmod 755 ${hook}; install -m 755 ${hook} /root/told`,
            `#!/bin/sh
may() { if (echo "$*" >"$place") 2>/dev/null; then echo "may write $place"; else echo "may not write $place"; fi; }
echo "told as $(id -un): $*"
for place in /tmp/told "$RUNTIME_DIRECTORY/told" "$HOME_OF_SERVER/data/.told" /etc/told /var/lib/told /usr/local/bin/other; do may "$@"; done
ls /var/lib/zeroform/store.db /root /home/* 2>/dev/null | grep -q . && echo "sees too much"
echo "through: $*"
`,
        );
        const resource = await made("telling", { hook }, mount);
        const { unit, home, id } = serverOf(asZdb(resource));
        const name = namespaceOf(asZdb(resource));
        const after = await admitted(changed(resource, { public: true }), resource);
        await run("apply", after);
        await isReady(after);
        const journal = await rig.sh(
            `for event in created updated; do for i in $(seq 300); do journalctl -o cat -u ${unit} | grep -q "^through: namespace-$event .* ${name}$" && break; sleep 0.1; done; done; journalctl -o cat -u ${unit}`,
        );
        const socket = `unix:///run/zeroform-zdb/${id}/admin.sock`;
        expect(journal).toContain(`told as zeroform-zdb: namespace-created ${socket} ${name}\n`);
        expect(journal).toContain(`told as zeroform-zdb: namespace-updated ${socket} ${name}\n`);
        for (const place of ["/tmp/told", `/run/zeroform-zdb/${id}/told`, `${home}/data/.told`])
            expect(journal).toContain(`may write ${place}`);
        for (const place of ["/etc/told", "/var/lib/told", "/usr/local/bin/other"]) expect(journal).toContain(`may not write ${place}`);
        expect(journal).not.toContain("sees too much");
        expect(await rig.sh(`cat /run/zeroform-zdb/${id}/told; ls /tmp`)).toMatch(new RegExp(`^namespace-\\w+ \\S+ ${name}`));
        expect(await rig.sh("ls -a /tmp")).not.toContain("told");
        // What the server does not see it cannot run.
        const hidden = await admitted(changed(after, { hook: "/root/told" }), after);
        await expect(run("apply", hidden)).rejects.toThrow("Cannot run /root/told");
        await removed(after);
    });

    it("is noticed at once when it or its mount goes away", async () => {
        const resource = await made("watched", {}, mount);
        const waits = "while [ ! -e /run/zfd-watching ]; do sleep 0.05; done; rm /run/zfd-watching;";
        for (const line of [`systemctl stop ${serverOf(asZdb(resource)).unit}`, `umount -l ${mountPointOf(mount.life)}`]) {
            const watching = run("watch", resource);
            const began = rig.sh(`${waits} ${line}`).then(() => Date.now());
            expect(await watching).toBe("noticed");
            expect(Date.now() - (await began), line).toBeLessThan(3_000);
            await rig.run("apply", mount);
            await run("apply", resource);
        }
        await removed(resource);
    });

    it("is there again after its mount has grown", async () => {
        const resource = await made("on-growing", {}, mount);
        await client(resource, (redis) => redis.set("key", "kept"));
        mount = changed(mount, { size: "320MiB" });
        await rig.run("apply", mount);
        await run("apply", resource);
        await isReady(resource);
        expect(await get(resource, "key")).toBe("kept");
        await removed(resource);
    });

    it("comes back with the power without any agent, on its mount", async () => {
        const [here, there] = [await made("on-mount", {}, mount), await made("on-node", {})];
        for (const each of [here, there]) await client(each, (redis) => redis.set("key", "kept"));
        await rig.sh("sleep 1.2; sync");
        await powerOff(rig.host);
        await powerOn(rig.host);
        for (const each of [here, there]) {
            await isReady(each);
            expect(await get(each, "key")).toBe("kept");
            await removed(each);
        }
    });

    it("goes to the trash and comes back into another, whose data go there; cut off anywhere", async () => {
        const old = await made("old", {}, mount);
        await client(old, (redis) =>
            redis
                .pipeline()
                .set("key", "old")
                .set("big", "x".repeat(2 ** 20))
                .exec(),
        );
        const place = trashedNamespace(asZdb(old));
        await removed(old);
        await run("remove", old);
        expect(await rig.sh(`systemctl list-units --all --plain --no-legend 'zeroform-zdb@*'`)).toBe("");
        expect(await rig.sh("ls /run/zeroform /etc/systemd/system /var/lib/zeroform/services")).not.toMatch(/zdb-[0-9a-f]/);
        expect(await run("trashed", old)).toBeGreaterThan(2 ** 20);

        const into = await made("new", {}, mount);
        await client(into, (redis) => redis.set("key", "new"));
        const own = place.replace(old.life, mintLife());
        const seq = changed(into, { mode: "seq" });
        await expect(run("restore", seq, { from: old, own })).rejects.toMatchObject({
            code: "INVALID",
            message: expect.stringContaining("mode"),
        });
        const small = changed(into, { size: "512KiB" });
        await expect(run("restore", small, { from: old, own })).rejects.toMatchObject({
            code: "INVALID",
            message: expect.stringContaining("more than the 512KiB"),
        });
        await isReady(into);
        for (const cutAfterMs of [90, 120, 160]) await rig.cutOff("restore", into, cutAfterMs, { from: old, own, resources: desired });
        await run("restore", into, { from: old, own });
        await run("restore", into, { from: old, own });
        await run("apply", into);
        await isReady(into);
        expect(await get(into, "key")).toBe("old");
        expect(await run("trashed", old)).toBe(0);
        const back = mintLife();
        await run("restore", into, {
            from: { ...old, life: own.slice(own.lastIndexOf("/") + 1) as Resource["life"] },
            own: place.replace(old.life, back),
        });
        await run("apply", into);
        expect(await get(into, "key")).toBe("new");
        await removed(into);
        await run("purge", into);
        await run("purge", { ...old, life: back });
        const left = await rig.sh(`find ${mountPointOf(mount.life)}/zdb`);
        for (const life of [old.life, into.life, back, own]) expect(left).not.toContain(life);
    });

    it("is removed also while its server cannot run, and leaves what is to be kept", async () => {
        const [dead, kept] = [await made("dead", {}), await made("kept", {})];
        const { unit, data } = serverOf(asZdb(dead));
        await client(kept, (redis) => redis.set("key", "kept"));
        await rig.sh(`systemctl stop ${unit}`);
        await removed(dead);
        expect(await rig.sh(`ls ${trashedNamespace(asZdb(dead))}`)).toContain("d0");
        await run("apply", kept);
        await removed(kept, { keep: true });
        expect(await rig.sh(`ls ${data}/${namespaceOf(asZdb(kept))}`)).toContain("d0");
    });

    it("serves hundreds of namespaces from one server, observed with one question", async () => {
        const many = await Promise.all(
            Array.from({ length: 200 }, (_, index) => put(changed(rig.zdb(`n${index}`, { password: "same-for-all" }), { port: 9911 }))),
        );
        for (const each of many.slice(0, 3)) await run("apply", each);
        const { adminSocket } = serverOf(asZdb(many[0] ?? mount));
        const names = many.map((each) => namespaceOf(asZdb(each)));
        const lines = names.slice(3).map((name) => `*2\r\n$5\r\nNSNEW\r\n$${name.length}\r\n${name}\r\n`);
        await rig.sh(
            `python3 -c 'import socket,sys
s=socket.socket(socket.AF_UNIX); s.connect("${adminSocket}"); s.sendall(sys.stdin.buffer.read())
n=0
while n < ${lines.length}: n += s.recv(65536).count(b"+OK")'`,
            lines.join(""),
        );
        const [first, last] = [many[0] ?? mount, many.at(-1) ?? mount];
        await isReady(first);
        expect(await why(last)).toContain("maxsize");
        for (const each of many) desired = desired.filter(({ life }) => life !== each.life);
    });
});

/** What a call that comes to be refused says. */
const untilRefused = async (call: () => Promise<unknown>): Promise<string> => {
    for (const deadline = Date.now() + 10_000; Date.now() < deadline; ) {
        try {
            await call();
        } catch (refusal) {
            return refusal instanceof Error ? refusal.message : String(refusal);
        }
    }
    return "never refused";
};
