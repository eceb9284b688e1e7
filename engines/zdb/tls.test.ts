import * as fs from "node:fs";
import * as path from "node:path";
import type { TLSSocket } from "node:tls";
import { describe, expect, test } from "vitest";
import { makeCertificate } from "../../test/zdb/certificates.ts";
import { eventually } from "../../test/zdb/eventually.ts";
import type { RespClient, Where } from "../../test/zdb/resp-client.ts";
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
