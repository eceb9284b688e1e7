import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { host, type Machine, machineOf, sh } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";

const GIVEN = "Given-by-the-program-7731";
const SECOND = "Rotated-by-the-program-9962";

const program: Program<{ machine: Machine; key: string; password?: string }> = ({ pulumi, zeroform }, { machine, key, password }) => {
    const { identityFile: _, ...rest } = machine;
    const node = new zeroform.Node("node", { ...rest, privateKey: pulumi.secret(key), trash: "0s" });
    const given = new zeroform.Zdb("given", { node, size: "8MiB", ...(password !== undefined && { password: pulumi.secret(password) }) });
    const generated = new zeroform.Zdb("generated", { node, size: "8MiB" });
    return { given: given.url, generated: generated.url, password: generated.password, connection: node.connection };
};

describe("secrets", () => {
    it("are nowhere to be seen: state, output, journal, process list, files of the run", async () => {
        const on = await host();
        await using stack = await Stack.create();
        const machine = machineOf(on);
        const key = await readFile(machine.identityFile, "utf8");
        // A line in the middle of the key stands for all of it.
        stack.secrets.push(GIVEN, SECOND, key.split("\n")[2] ?? "no key");

        await stack.program(program, { machine, key, password: GIVEN });
        await stack.up();
        const generated = await stack.revealed<string>("password");
        expect(generated).toMatch(/^[A-Za-z0-9]{20,}$/);
        stack.secrets.push(generated);
        expect(await stack.revealed<string>("given")).toContain(GIVEN);
        await stack.state();

        await stack.refresh("--expect-no-changes");
        expect(await stack.revealed<string>("password")).toBe(generated);
        await stack.state();
        await stack.program(program, { machine, key, password: SECOND });
        await stack.must(["preview", "--diff"]);
        await stack.up("--diff");
        await stack.state();

        // Given no more, it keeps its value, which stays secret.
        await stack.program(program, { machine, key });
        await stack.up();
        await stack.refresh("--expect-no-changes");
        expect(await stack.revealed<string>("given")).toContain(SECOND);
        expect(await stack.plan()).toEqual({ node: "same", given: "same", generated: "same" });
        await stack.state();

        const shown = await sh(
            on,
            "journalctl --no-pager -o cat; ps axww -o args; grep -rsl . /etc/systemd/system/zeroform* | xargs cat; ls -lR /var/lib/zeroform /run/zeroform",
        );
        const files = await sh(on, "cat /var/lib/zeroform/store.db*; cat /tmp/* 2>/dev/null; true");
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

    it("are not echoed by a failure that names their field", async () => {
        const on = await host();
        await using stack = await Stack.create();
        const bad = "has spaces in it 4471";
        stack.secrets.push(bad);
        await stack.program(program, { machine: machineOf(on), key: await readFile(machineOf(on).identityFile, "utf8"), password: bad });
        expect(await stack.fails(["preview"])).toMatch(/password is 8 to 63 printable/);
    });
});
