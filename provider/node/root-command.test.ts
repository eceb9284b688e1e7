import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { GREET_OR_PROBE, PROBE } from "./probe.ts";
import { NO_SUDO_STATUS, rootCommand } from "./root-command.ts";

const directory = mkdtempSync(join(tmpdir(), "zfn-root-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Runs a command through a login shell whose user has the given number. */
const login = (shell: string, command: string, uid: number) => {
    const bin = join(directory, String(uid));
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, "id"), `#!/bin/sh\necho ${uid}\n`, { mode: 0o755 });
    return spawnSync(shell, ["-c", command], { encoding: "utf8", env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } });
};

describe("a command for root", () => {
    it("has nothing in it that a login shell reads in its own way", () => {
        for (const script of [PROBE, GREET_OR_PROBE]) expect(rootCommand({ sudo: true }, script, ["x"])).not.toMatch(/[\\!\n]/);
        expect(() => rootCommand({ sudo: true }, "echo it's", [])).toThrow();
        expect(() => rootCommand({ sudo: true }, "true", ["a\nb"])).toThrow();
    });

    it("passes its arguments, empty ones included, through every shell that is here", () => {
        const script = 'for word in "$@"; do echo "<$word>"; done';
        const command = rootCommand({ sudo: false }, script, ["", "a b", "$HOME", "*"]);
        const shells = ["sh", "bash", "dash", "zsh", "fish", "csh", "tcsh"];
        const heard = shells.map((shell) => login(shell, command, 0)).filter(({ error }) => error === undefined);
        expect(heard.length).toBeGreaterThan(0);
        for (const { stdout } of heard) expect(stdout).toBe("<>\n<a b>\n<$HOME>\n<*>\n");
    });

    it("ends with its own status for a user who may not become root", () => {
        const { status, stdout } = login("sh", rootCommand({ sudo: false }, "echo never", []), 1000);
        expect({ status, stdout }).toEqual({ status: NO_SUDO_STATUS, stdout: "" });
    });

    it("is a script that the shell can read", () => {
        for (const script of [PROBE, GREET_OR_PROBE]) execFileSync("sh", ["-n", "-c", script]);
    });
});
