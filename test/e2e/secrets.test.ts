import { chmod, copyFile, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { must } from "../../dev/hosts/command.ts";
import { makeCertificate } from "../zdb/certificates.ts";
import { temporaryDirectory } from "../zdb/temporary.ts";
import { host, type Machine, machineOf, sh } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";

const GIVEN = "Given-by-the-program-7731";
const SECOND = "Rotated-by-the-program-9962";

interface Given {
    readonly machine: Machine;
    readonly key: string;
    readonly tls: { readonly certificate: string; readonly privateKey: string };
    readonly password?: string;
}

const program: Program<Given> = ({ pulumi, zeroform }, { machine, key, tls, password }) => {
    const { identityFile: _, ...rest } = machine;
    const node = new zeroform.Node("node", { ...rest, privateKey: pulumi.secret(key), trash: "0s" });
    const given = new zeroform.Zdb("given", { node, size: "8MiB", ...(password !== undefined && { password: pulumi.secret(password) }) });
    const generated = new zeroform.Zdb("generated", { node, size: "8MiB" });
    const sealed = new zeroform.Zdb("sealed", { node, size: "8MiB", tls: pulumi.secret(tls) });
    return { given: given.url, generated: generated.url, sealed: sealed.url, password: generated.password, connection: node.connection };
};

const PASSPHRASE = "Of-an-encrypted-key-5518";

interface Behind {
    readonly address: string;
    readonly own: string;
    readonly hop: string;
    readonly passphrase: string;
}

/** What lies behind the host is the host itself, by an address that means another machine out here. */
const behind: Program<Behind> = ({ pulumi, zeroform }, { address, own, hop, passphrase }) => {
    const node = new zeroform.Node("node", {
        host: "127.0.0.1",
        user: "root",
        privateKey: own,
        passphrase,
        via: [{ host: address, user: "root", privateKey: pulumi.secret(hop) }],
        trash: "0s",
    });
    const db = new zeroform.Zdb("db", { node, size: "8MiB" });
    return { url: db.url, hopKeys: node.hopKeys, connection: node.connection };
};

describe("secrets", () => {
    it("are nowhere to be seen: state, output, journal, process list, files of the run", async () => {
        const on = await host();
        await using stack = await Stack.create();
        const machine = machineOf(on);
        const key = await readFile(machine.identityFile, "utf8");
        const { cert, key: privateKey } = makeCertificate(temporaryDirectory(), "db");
        const given = { machine, key, tls: { certificate: cert, privateKey } };
        // A line in the middle of a key stands for all of it.
        stack.secrets.push(GIVEN, SECOND, key.split("\n")[2] ?? "no key", privateKey.split("\n")[1] ?? "no key");

        await stack.program(program, { ...given, password: GIVEN });
        await stack.up();
        const generated = await stack.revealed<string>("password");
        expect(generated).toMatch(/^[A-Za-z0-9]{20,}$/);
        stack.secrets.push(generated);
        expect(await stack.revealed<string>("given")).toContain(GIVEN);
        await stack.state();

        await stack.refresh("--expect-no-changes");
        expect(await stack.revealed<string>("password")).toBe(generated);
        await stack.state();
        await stack.program(program, { ...given, password: SECOND });
        await stack.must(["preview", "--diff"]);
        await stack.up("--diff");
        await stack.state();

        // Given no more, it keeps its value, which stays secret.
        await stack.program(program, given);
        await stack.up();
        await stack.refresh("--expect-no-changes");
        expect(await stack.revealed<string>("given")).toContain(SECOND);
        expect(await stack.plan()).toEqual({ node: "same", given: "same", generated: "same", sealed: "same" });
        await stack.state();

        const shown = await sh(
            on,
            "journalctl --no-pager -o cat; ps axww -o args; grep -rsl . /etc/systemd/system/zeroform* | xargs cat; ls -lR /var/lib/zeroform /run/zeroform",
        );
        const files = await sh(on, "cat /var/lib/zeroform/store.db* /var/lib/zeroform/zdb/*/data/*/d*; cat /tmp/* 2>/dev/null; true");
        for (const secret of stack.secrets) {
            expect(shown).not.toContain(secret);
            expect(files).not.toContain(secret);
        }
        expect(
            await sh(
                on,
                "find /var/lib/zeroform /run/zeroform -type f -perm /077 -name '*.db*' -o -type f -perm /077 -name '*.json' -o -type f -perm /077 -name '*.key'",
            ),
        ).toBe("");
        for (const file of await readdir(join(stack.directory, "project"))) {
            if (file.endsWith(".yaml")) expect(await readFile(join(stack.directory, "project", file), "utf8")).not.toContain(GIVEN);
        }
        await stack.destroy();
    });

    it("of a way through a jump host are as well kept: keys and passphrases of Node and hop, also where its resources carry them", async () => {
        const on = await host();
        await using stack = await Stack.create();
        const directory = await mkdtemp(join(tmpdir(), "zeroform-keys-"));
        try {
            const encrypted = join(directory, "key");
            await copyFile(on.identityFile, encrypted);
            await chmod(encrypted, 0o600);
            await must("ssh-keygen", ["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f", encrypted]);
            const [own, hop] = [await readFile(encrypted, "utf8"), await readFile(on.identityFile, "utf8")];
            stack.secrets.push(PASSPHRASE, own.split("\n")[2] ?? "no key", hop.split("\n")[2] ?? "no key");
            const given = { address: on.address, own, hop, passphrase: PASSPHRASE };

            await stack.program(behind, given);
            await stack.up();
            expect(await stack.revealed<string[]>("hopKeys")).toEqual([`${on.address} ${on.hostKey}`]);
            expect(await stack.revealed("connection")).toMatchObject({
                host: "127.0.0.1",
                privateKey: own,
                privateKeyPassword: PASSPHRASE,
                proxy: { host: on.address, user: "root", privateKey: hop, hostKey: on.hostKey },
            });
            await stack.state();
            await stack.refresh("--expect-no-changes");
            await stack.must(["preview", "--diff", "--expect-no-changes"]);
            await stack.state();
            await stack.destroy();
        } finally {
            await rm(directory, { recursive: true, force: true });
        }
    });

    it("are not echoed by a failure that names their field", async () => {
        const on = await host();
        await using stack = await Stack.create();
        const bad = "has spaces in it 4471";
        stack.secrets.push(bad);
        const { cert, key: privateKey } = makeCertificate(temporaryDirectory(), "db");
        const key = await readFile(machineOf(on).identityFile, "utf8");
        await stack.program(program, { machine: machineOf(on), key, tls: { certificate: cert, privateKey }, password: bad });
        expect(await stack.fails(["preview"])).toMatch(/password is 8 to 63 printable/);
    });
});
