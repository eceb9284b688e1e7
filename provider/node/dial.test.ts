import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { ZeroformError } from "../../protocol/errors.ts";
import { type Reach, reach } from "../../schema/on-node.ts";
import { soundKeys } from "../../test/wire/sound-keys.ts";
import { dial, PATIENCE } from "./dial.ts";
import { fingerprint } from "./known-hosts.ts";
import { resolveTarget } from "./target.ts";

const home = mkdtempSync(join(tmpdir(), "zfn-dial-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const ending: (() => void | Promise<void>)[] = [];
afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
});

const keyFile = (name: string, passphrase = "") => {
    const path = join(home, name);
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", passphrase, "-C", `comment of ${name}`, "-f", path]);
    return path;
};
const keys = { right: keyFile("right"), wrong: keyFile("wrong"), encrypted: keyFile("encrypted", "secret words") };
const rsaFile = (format: string) => {
    const path = join(home, `rsa-${format}`);
    execFileSync("ssh-keygen", ["-q", "-t", "rsa", "-b", "2048", "-m", format, "-N", "secret words", "-f", path]);
    return path;
};
const publicOf = (path: string) => execFileSync("ssh-keygen", ["-y", "-P", "secret words", "-f", path], { encoding: "utf8" });
const accepted = ["right", "encrypted"].map((name) => publicOf(join(home, name)).split(" ")[1]);

const listening = async (server: { listen: Server["listen"]; address(): unknown }): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
};

/** A TCP server that treats each connection as it is told. */
const tcpServer = async (onSocket: (socket: Socket) => void): Promise<number> => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
        sockets.add(socket);
        socket.on("error", () => undefined);
        onSocket(socket);
    });
    ending.push(() => {
        for (const socket of sockets) socket.destroy();
        server.close();
    });
    return listening(server);
};

interface SshServer {
    readonly port: number;
    readonly hostKey: string;
    /** Public keys that were offered, as base64. */
    readonly offered: readonly string[];
}

/** An SSH server that lets two keys in and does nothing else. */
const sshServer = async (methods: ssh2.AuthenticationType[] = ["publickey"]): Promise<SshServer> => {
    const pair = soundKeys();
    const offered: string[] = [];
    const connections = new Set<ssh2.Connection>();
    const server = new ssh2.Server({ hostKeys: [pair.private] }, (connection) => {
        connections.add(connection);
        connection.on("error", () => undefined);
        connection.on("authentication", (attempt) => {
            if (attempt.method !== "publickey") return attempt.reject(methods);
            const key = attempt.key.data.toString("base64");
            if (!attempt.signature) offered.push(key);
            return accepted.includes(key) ? attempt.accept() : attempt.reject(methods);
        });
    });
    ending.push(() => {
        for (const connection of connections) connection.end();
        server.close();
    });
    return { port: await listening(server as unknown as Server), hostKey: pair.public.split(" ", 2).join(" "), offered };
};

const never = new AbortController().signal;
const target = (given: Partial<Reach>, env = {}) => resolveTarget(reach.parse({ host: "127.0.0.1", ...given }), { HOME: home, ...env });
const attempt = async (given: Partial<Reach>, env = {}, patience = PATIENCE) => {
    const connection = await dial(target(given, env), given, never, patience);
    ending.push(() => connection.end());
    return connection;
};
const failure = (given: Partial<Reach>, env = {}, patience = PATIENCE): Promise<ZeroformError> =>
    attempt(given, env, patience).then(
        () => expect.unreachable("it connected"),
        (error: ZeroformError) => error,
    );

describe("a dial", () => {
    it("connects with a key file, and with a key's text", async () => {
        const { port, hostKey } = await sshServer();
        expect((await attempt({ port, identityFile: keys.right })).hostKey).toBe(hostKey);
        const privateKey = execFileSync("cat", [keys.right], { encoding: "utf8" }).trim().replaceAll("\n", "\r\n");
        expect((await attempt({ port, privateKey, hostKey })).hostKey).toBe(hostKey);
    });

    it("tries several keys on one connection, in order, and names those that failed by path", async () => {
        const { port, offered } = await sshServer();
        writeFileSync(join(home, "config"), "");
        execFileSync("mkdir", ["-p", join(home, ".ssh")]);
        writeFileSync(join(home, ".ssh", "config"), `IdentityFile ${keys.wrong}\nIdentityFile ${keys.right}\n`);
        ending.push(() => rmSync(join(home, ".ssh"), { recursive: true }));
        await attempt({ port });
        expect(offered).toHaveLength(2);
        const refused = await failure({ port, identityFile: keys.wrong });
        expect(refused).toMatchObject({ code: "SSH_AUTH", retryable: false });
        expect(refused.sentence()).toContain(keys.wrong);
        expect(refused.sentence()).not.toContain(publicOf(keys.wrong).split(" ")[1]);
    });

    it("says that there is no key, that a server takes none, and that a key cannot be read", async () => {
        const { port } = await sshServer();
        expect((await failure({ port })).sentence()).toMatch(
            /there is no key to log in with.*Start an SSH agent and ssh-add a key, .*give the Node identityFile or privateKey/,
        );
        const { port: passwordsOnly } = await sshServer(["password"]);
        expect((await failure({ port: passwordsOnly, identityFile: keys.wrong })).sentence()).toMatch(/the server accepts password only/);
        expect(await failure({ port, identityFile: join(home, "absent") })).toMatchObject({ code: "SSH_CONFIG", retryable: false });
        const malformed = await failure({
            port,
            privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nVERYSECRET\n-----END OPENSSH PRIVATE KEY-----",
        });
        expect(malformed.code).toBe("SSH_CONFIG");
        expect(JSON.stringify(malformed.facts())).not.toContain("VERYSECRET");
        expect(String(malformed.cause)).not.toContain("VERYSECRET");
    });

    it("takes an encrypted key from the SSH agent, and otherwise says how to put it there", async () => {
        const { port, offered } = await sshServer();
        const refused = await failure({ port, identityFile: keys.encrypted });
        expect(refused).toMatchObject({
            code: "SSH_CONFIG",
            hint: expect.stringContaining(`Run: ssh-add ${keys.encrypted} (or set passphrase`),
        });
        const socket = await sshAgentWith([keys.wrong, keys.encrypted]);
        await attempt({ port, identityFile: keys.encrypted }, { SSH_AUTH_SOCK: socket });
        expect(offered).toHaveLength(1);
        await attempt({ port }, { SSH_AUTH_SOCK: socket });
        expect(offered).toHaveLength(3);
    });

    it("opens an encrypted key with its passphrase, in every format, and says when it does not fit", async () => {
        const { port } = await sshServer();
        await attempt({ port, identityFile: keys.encrypted, passphrase: "secret words" });
        const privateKey = readFileSync(keys.encrypted, "utf8");
        await attempt({ port, privateKey, passphrase: "secret words" });
        for (const format of ["PEM", "PKCS8"]) {
            const file = rsaFile(format);
            accepted.push(publicOf(file).trim().split(" ")[1]);
            await attempt({ port, identityFile: file, passphrase: "secret words" });
            const wrong = await failure({ port, identityFile: file, passphrase: "VERYWRONG" });
            expect(wrong.sentence()).toMatch(/cannot be used: passphrase does not open it\. Give the passphrase/);
        }
        const missing = await failure({ port, privateKey });
        expect(missing.sentence()).toMatch(/privateKey is encrypted\. Set passphrase/);
        const wrong = await failure({ port, privateKey, passphrase: "VERYWRONG" });
        expect(wrong).toMatchObject({ code: "SSH_CONFIG", retryable: false });
        expect(wrong.sentence()).toMatch(/passphrase does not open privateKey/);
        expect(JSON.stringify([wrong.facts(), String(wrong.cause)])).not.toContain("VERYWRONG");
    });

    it("names the keys of the SSH agent by comment, and passes over an agent that is gone", async () => {
        const { port } = await sshServer();
        const socket = await sshAgentWith([keys.wrong]);
        expect((await failure({ port }, { SSH_AUTH_SOCK: socket })).message).toContain("comment of wrong (SSH agent)");
        const gone = await failure({ port }, { SSH_AUTH_SOCK: join(home, "no-socket") });
        expect(gone.message).toMatch(/the SSH agent at .*no-socket \(it does not answer\)/);
    });

    it("refuses a changed host key with both fingerprints, before it logs in", async () => {
        const [before, now] = [await sshServer(), await sshServer()];
        const refused = await failure({ port: now.port, hostKey: before.hostKey, identityFile: keys.right });
        expect(refused).toMatchObject({ code: "SSH_HOST_KEY", retryable: false });
        for (const words of [fingerprint(before.hostKey), fingerprint(now.hostKey), now.hostKey])
            expect(refused.sentence()).toContain(words);
        expect(now.offered).toEqual([]);
    });

    it("tells a refused connection, which may pass, from an unknown name, which does not", async () => {
        const port = await tcpServer(() => undefined);
        for (const end of ending.splice(0)) await end();
        expect(await failure({ port, identityFile: keys.right })).toMatchObject({
            code: "SSH_REFUSED",
            retryable: true,
            node: "127.0.0.1",
        });
        expect(await failure({ host: "no-such-host.invalid", port, identityFile: keys.right })).toMatchObject({
            code: "NAME_UNKNOWN",
            retryable: false,
        });
    });

    it("does not wait for ever for a server that says nothing", async () => {
        const silent = await tcpServer(() => undefined);
        const patience = { ...PATIENCE, handshakeMs: 100 };
        expect(await failure({ port: silent, identityFile: keys.right }, {}, patience)).toMatchObject({
            code: "SSH_TIMEOUT",
            retryable: true,
        });
        const afterBanner = await tcpServer((socket) => socket.write("SSH-2.0-quiet\r\n"));
        expect(await failure({ port: afterBanner, identityFile: keys.right }, {}, patience)).toMatchObject({ code: "SSH_TIMEOUT" });
    });

    it("may be repeated when the server hangs up before or in its banner", async () => {
        const servers: ((socket: Socket) => void)[] = [
            (socket) => socket.end(),
            (socket) => socket.end("SSH-2.0-half"),
            (socket) => socket.resetAndDestroy(),
            (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
            (socket) => socket.end("Exceeded MaxStartups\r\n"),
        ];
        for (const onSocket of servers) {
            const port = await tcpServer(onSocket);
            expect(await failure({ port, identityFile: keys.right })).toMatchObject({ code: "SSH_LOST", retryable: true });
        }
    });

    it("tells another protocol from SSH", async () => {
        const port = await tcpServer((socket) => socket.write(`HTTP/1.1 400 Bad Request\r\n\r\n${"x".repeat(70_000)}`));
        expect(await failure({ port, identityFile: keys.right })).toMatchObject({ code: "SSH_CONFIG", retryable: false });
    });

    it("ends when its signal says so, wherever it is", async () => {
        const port = await tcpServer(() => cancel.abort(new Error("enough")));
        const cancel = new AbortController();
        await expect(dial(target({ port, identityFile: keys.right }), undefined, cancel.signal)).rejects.toThrow("enough");
        await expect(dial(target({ port, identityFile: keys.right }), undefined, cancel.signal)).rejects.toThrow("enough");
    });
});

/** A real SSH agent that has the keys. */
const sshAgentWith = async (files: readonly string[]): Promise<string> => {
    const socket = join(mkdtempSync(join(home, "agent-")), "socket");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    ending.push(() => {
        agent.kill();
    });
    const answerPassphrase = join(home, "askpass");
    writeFileSync(answerPassphrase, "#!/bin/sh\necho secret words\n", { mode: 0o755 });
    await expect.poll(() => existsSync(socket), { timeout: 10_000 }).toBe(true);
    const env = { ...process.env, SSH_AUTH_SOCK: socket, SSH_ASKPASS: answerPassphrase, SSH_ASKPASS_REQUIRE: "force" };
    execFileSync("ssh-add", ["-q", ...files], { env, stdio: "ignore" });
    return socket;
};
