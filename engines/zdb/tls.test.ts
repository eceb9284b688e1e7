import * as fs from "node:fs";
import * as path from "node:path";
import type { TLSSocket } from "node:tls";
import { describe, expect, test } from "vitest";
import { type Certificate, makeCertificate, makeCertificateOf } from "../../test/zdb/certificates.ts";
import { eventually } from "../../test/zdb/eventually.ts";
import { error, ok, type RespClient, type Where } from "../../test/zdb/resp-client.ts";
import { connect, freePort, startServer } from "../../test/zdb/running-server.ts";
import { words } from "../../test/zdb/script.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";

const pong = { status: "PONG" };
const nameOf = (client: RespClient): unknown => (client.socket as TLSSocket).getPeerCertificate().subject.CN;

describe("TLS", () => {
    test("is all that TCP speaks, own listeners and those of namespaces; the unix socket stays plain", async () => {
        const directory = temporaryDirectory();
        const { certFile, keyFile, cert } = makeCertificate(directory, "one");
        const [own, asked] = [await freePort(), await freePort()];
        const server = await startServer(["--dualnet", "--port", String(own), "--tls-cert", certFile, "--tls-key", keyFile], directory);
        const admin = await server.client();
        await admin.call("NSNEW", "events");
        await admin.call("NSSET", "events", "listen", `127.0.0.1:${asked}`);
        for (const port of [own, asked]) {
            const where = { host: "127.0.0.1", port };
            const client = await connect({ ...where, tls: { ca: cert } });
            expect(await client.call("PING")).toEqual(pong);
            expect(await client.call("SELECT", port === own ? "default" : "events")).toEqual({ status: "OK" });
            const value = Buffer.alloc(5_000_000, "v");
            expect(await client.call("SET", "k", value)).toBe("k");
            expect(await client.call("MGET", "k", "k")).toEqual([value.toString("latin1"), value.toString("latin1")]);
            const plain = await connect(where);
            plain.send("*1\r\n$4\r\nPING\r\n");
            await plain.closed;
            await expect(connect({ ...where, tls: {} })).rejects.toThrow("self-signed certificate");
        }
        expect(await admin.call("PING")).toEqual(pong);
    });

    test("asks clients for a certificate where it is told to", async () => {
        const directory = temporaryDirectory();
        const [own, known, unknown] = ["own", "known", "unknown"].map((name) => makeCertificate(directory, name));
        if (!own || !known || !unknown) throw new Error("no certificates");
        const port = await freePort();
        const files = ["--tls-cert", own.certFile, "--tls-key", own.keyFile, "--tls-ca", known.certFile];
        await startServer(["--dualnet", "--port", String(port), ...files], directory);
        const as = (client: object): Where => ({ host: "127.0.0.1", port, tls: { ca: own.cert, ...client } });
        const client = await connect(as({ cert: known.cert, key: known.key }));
        expect(await client.call("PING")).toEqual(pong);
        for (const other of [{}, { cert: unknown.cert, key: unknown.key }]) {
            const refused = await connect(as(other)).catch(() => undefined);
            await expect(refused?.call("PING") ?? Promise.reject(new Error("refused"))).rejects.toThrow();
        }
    });

    test("reads its certificate again on SIGHUP, keeps the old one when the new one is wrong, and parts with nobody", async () => {
        const directory = temporaryDirectory();
        const first = makeCertificate(directory, "first");
        const port = await freePort();
        const argv = ["--dualnet", "--port", String(port), "--tls-cert", first.certFile, "--tls-key", first.keyFile];
        const server = await startServer(argv, directory);
        const enter = (ca: string): Promise<RespClient> => connect({ host: "127.0.0.1", port, tls: { ca } });
        const stays = await enter(first.cert);
        const second = makeCertificate(directory, "second");
        fs.copyFileSync(second.certFile, first.certFile);
        process.kill(server.pid, "SIGHUP");
        await eventually(() => expect(server.lines.at(-1)).toContain("the one before stays"));
        expect(nameOf(await enter(first.cert))).toBe("first");
        fs.copyFileSync(second.keyFile, first.keyFile);
        process.kill(server.pid, "SIGHUP");
        await eventually(() => expect(server.lines.at(-1)).toBe("the TLS certificate was read again"));
        expect(nameOf(await enter(second.cert))).toBe("second");
        expect(await stays.call(...words("SET k v"))).toBe("k");
    });

    test("that cannot be is refused at the start", async () => {
        const directory = temporaryDirectory();
        const [one, two] = [makeCertificate(directory, "one"), makeCertificate(directory, "two")];
        await expect(startServer(["--tls-cert", one.certFile, "--tls-key", two.keyFile], directory)).rejects.toThrow(
            `cannot use the certificate ${one.certFile} with the key ${two.keyFile}`,
        );
        const absent = path.join(directory, "absent");
        await expect(startServer(["--tls-cert", absent, "--tls-key", two.keyFile], directory)).rejects.toThrow(
            `cannot read ${absent} for TLS (ENOENT)`,
        );
    });
});

describe("TLS of a namespace", () => {
    const settings = ({ cert, key }: Certificate, ca?: string): string => JSON.stringify({ cert, key, ca });

    /** A server that keeps keys, with its administrator, and what starts it again. */
    const sealing = async (directory: string, seal = "seal") => {
        const [socket, sealKey] = [path.join(directory, "admin.sock"), path.join(directory, seal)];
        if (!fs.existsSync(sealKey)) fs.writeFileSync(sealKey, Buffer.alloc(32, seal), { mode: 0o600 });
        const server = await startServer(["--closed", "--admin-socket", socket, "--seal-key-file", sealKey], directory);
        return { server, admin: await connect({ path: socket }) };
    };
    const make = async (admin: RespClient, name: string, listen: string, tls?: string): Promise<void> => {
        const requests = [["NSNEW", name], ["NSSET", name, "password", `pw-${name}`], ...(tls ? [["NSSET", name, "tls", tls]] : [])];
        for (const request of [...requests, ["NSSET", name, "listen", listen]]) expect(await admin.call(...request)).toEqual(ok);
    };
    const listening = async (admin: RespClient, name: string): Promise<string> =>
        /^listening: (.*)$/m.exec(String(await admin.call("NSINFO", name)))?.[1] ?? "";

    test("is its own, comes back after a restart, and its key lies sealed", async () => {
        const directory = temporaryDirectory();
        const [one, two] = [makeCertificate(directory, "one"), makeCertificate(directory, "two")];
        const [first, second, plain] = [await freePort(), await freePort(), await freePort()];
        const begun = await sealing(directory);
        await make(begun.admin, "one", `127.0.0.1:${first}`, settings(one));
        await make(begun.admin, "two", `127.0.0.1:${second}`, settings(two, one.cert));
        await make(begun.admin, "three", `127.0.0.1:${plain}`);
        await begun.server.stop();
        const written = fs.readFileSync(path.join(begun.server.data, "one", "d0"), "latin1");
        expect(written).not.toContain("BEGIN");

        const { admin } = await sealing(directory);
        const client = await connect({ host: "127.0.0.1", port: first, tls: { ca: one.cert } });
        expect(nameOf(client)).toBe("one");
        expect(await client.call(...words("AUTH one pw-one"))).toEqual(ok);
        expect(await client.call(...words("AUTH two pw-two"))).toEqual(error("Namespace not found"));
        const known = await connect({ host: "127.0.0.1", port: second, tls: { ca: two.cert, cert: one.cert, key: one.key } });
        expect(await known.call(...words("AUTH two pw-two"))).toEqual(ok);
        const unknown = await connect({ host: "127.0.0.1", port: second, tls: { ca: two.cert } }).catch(() => undefined);
        await expect(unknown?.call("PING") ?? Promise.reject(new Error("refused"))).rejects.toThrow();
        expect(await (await connect({ host: "127.0.0.1", port: plain })).call(...words("AUTH three pw-three"))).toEqual(ok);
        // Off again: who came in by TLS has to come anew.
        expect(await admin.call("NSSET", "one", "tls", "*")).toEqual(ok);
        await client.closed;
        expect(await admin.call("NSINFO", "one")).toContain("tls: none\n");
        expect(await (await connect({ host: "127.0.0.1", port: first })).call(...words("AUTH one pw-one"))).toEqual(ok);
    });

    test("is renewed without parting with anybody, one namespace of an address after the other", async () => {
        const directory = temporaryDirectory();
        const old = makeCertificateOf(2025, directory, "same");
        const port = await freePort();
        const { admin } = await sealing(directory);
        for (const name of ["one", "two"]) await make(admin, name, `127.0.0.1:${port}`, settings(old));
        const enter = async (name: string, ca: string): Promise<RespClient> => {
            const client = await connect({ host: "127.0.0.1", port, tls: { ca } });
            expect(await client.call(...words(`AUTH ${name} pw-${name}`))).toEqual(ok);
            return client;
        };
        const stays = await enter("two", old.cert);
        const young = makeCertificateOf(2026, directory, "same");
        expect(await admin.call("NSSET", "one", "tls", settings(young))).toEqual(ok);
        const shown = async (): Promise<string> => {
            const client = await connect({ host: "127.0.0.1", port, tls: { rejectUnauthorized: false } });
            return (client.socket as TLSSocket).getPeerCertificate().fingerprint256;
        };
        const renewed = await shown();
        // The older one of a neighbour that has not come to it yet does not come back.
        expect(await admin.call("NSSET", "two", "maxsize", "1000")).toEqual(ok);
        expect(await admin.call("NSSET", "two", "tls", settings(old))).toEqual(ok);
        expect(await shown()).toBe(renewed);
        expect(await admin.call("NSSET", "two", "tls", settings(young))).toEqual(ok);
        expect(await shown()).toBe(renewed);
        expect(await stays.call("PING")).toEqual(pong);
        for (const name of ["one", "two"]) expect(await listening(admin, name)).toBe("yes");
    });

    test("cannot be two on one address, and what cannot be is refused", async () => {
        const directory = temporaryDirectory();
        const [one, two] = [makeCertificate(directory, "one"), makeCertificate(directory, "two")];
        const port = await freePort();
        const { server, admin } = await sealing(directory);
        await make(admin, "one", `127.0.0.1:${port}`, settings(one));
        for (const [name, tls] of [
            ["two", settings(two)],
            ["three", undefined],
            ["four", settings(one, two.cert)],
        ] as const) {
            await make(admin, name, `127.0.0.1:${port}`, tls);
            expect(await listening(admin, name)).toBe(
                `no (127.0.0.1:${port} is listened on with other TLS settings, for another namespace)`,
            );
            const client = await connect({ host: "127.0.0.1", port, tls: { ca: one.cert } });
            expect(await client.call(...words(`AUTH ${name} pw-${name}`))).toEqual(error("Namespace not found"));
        }
        expect(await listening(admin, "one")).toBe("yes");
        const refusal = error('Invalid property value (expected: {"cert": "...", "key": "...", "ca": "..."} with PEM texts, or *)');
        for (const wrong of ["unreadable", "{}", "[1]", settings({ ...one, key: two.key }), settings({ ...one, cert: "no PEM" })])
            expect(await admin.call("NSSET", "one", "tls", wrong)).toEqual(refusal);
        await server.stop();
        // A key in clear on the disk is none.
        const open = await (await startServer([], temporaryDirectory())).client();
        await open.call("NSNEW", "one");
        expect(await open.call("NSSET", "one", "tls", settings(one))).toEqual(error("Cannot keep a private key without --seal-key-file"));
    });

    test("that cannot be read lets nobody in, until it is set anew", async () => {
        const directory = temporaryDirectory();
        const one = makeCertificate(directory, "one");
        const port = await freePort();
        const begun = await sealing(directory);
        await make(begun.admin, "one", `127.0.0.1:${port}`, settings(one));
        await begun.server.stop();
        const { admin } = await sealing(directory, "another-seal");
        expect(await admin.call("NSINFO", "one")).toContain("tls: unreadable\n");
        expect(await listening(admin, "one")).toBe(`no (127.0.0.1:${port} has no certificate that can be read: set tls anew)`);
        await expect(connect({ host: "127.0.0.1", port })).rejects.toThrow("ECONNREFUSED");
        for (const [name, value] of [
            ["tls", settings(one)],
            ["password", "new"],
        ] as const)
            expect(await admin.call("NSSET", "one", name, value)).toEqual(ok);
        const client = await connect({ host: "127.0.0.1", port, tls: { ca: one.cert } });
        expect(await client.call(...words("AUTH one new"))).toEqual(ok);
    });
});
