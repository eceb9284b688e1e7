import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { afterAll, describe, expect, it } from "vitest";
import { shapesOf } from "./command-tree.ts";
import { completionScript } from "./completion-scripts.ts";
import { zeroform } from "./program.ts";

const CLI = fileURLToPath(new URL("zeroform.ts", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "zeroform-completion-"));
mkdirSync(join(home, ".ssh"));
writeFileSync(join(home, ".ssh", "config"), "Host alpha beta *.internal\n  User root\nhost gamma\n");
afterAll(() => rmSync(home, { recursive: true }));

/** Every command that does something, with its path. */
const leaves = (command: Command, path: readonly string[] = []): readonly (readonly [string, Command])[] =>
    command.commands.length === 0 ? [[path.join(" "), command]] : command.commands.flatMap((each) => leaves(each, [...path, each.name()]));
const shapes = shapesOf(zeroform());

const helpOf = (command: Command): string => {
    let text = "";
    command.configureOutput({ writeOut: (words) => (text += words), getOutHelpWidth: () => 80 }).outputHelp();
    return text;
};

describe("the help of", () => {
    it.each(leaves(zeroform()))("zeroform %s says what it does, with examples, defaults and exit statuses", (path, command) => {
        const help = helpOf(command);
        expect(command.description()).not.toBe("");
        expect(help).toContain(`Usage: zeroform ${path}`);
        expect(help).toMatch(/\nExamples:\n( {2}.*zeroform.*\n {6}.+\n)+/);
        expect(help).toMatch(/\nExit status:\n( {2}\S+ +.+\n)+/);
        for (const { description, flags } of command.options) expect(description, flags).not.toBe("");
        for (const argument of command.registeredArguments)
            if (argument.name() !== "command") expect(argument.description, argument.name()).not.toBe("");
        expect(help.split("\n").filter((line) => line.length > 120 && !line.startsWith("  "))).toEqual([]);
    });

    it.each(leaves(zeroform()))("zeroform %s has --json where it prints", (path, command) => {
        const passesOn = ["shell", "zstor", "dev ssh", "completion"];
        expect(command.options.some(({ long }) => long === "--json")).toBe(!passesOn.includes(path));
    });
});

describe("the exit status", () => {
    const status = (...args: string[]) =>
        spawnSync(process.execPath, [CLI, ...args], { encoding: "utf8", cwd: home, env: { PATH: "/nowhere", HOME: home } });
    it.each([
        [["--help"], 0],
        [["logs", "--help"], 0],
        [["--version"], 0],
        [["frob"], 2],
        [["status", "--frob"], 2],
        [["status", "--port", "0"], 2],
        [["remove", "events"], 2],
        [["machine", "same"], 2],
        [["zstor", "photos"], 2],
        [["zstor", "photos", "serve"], 2],
        [["zstor", "photos", "status"], 1],
        [["logs", "a", "--since", "tomorrow"], 2],
        [["completion", "tcsh"], 2],
        [["trash", "purge", "--host", "127.0.0.1"], 2],
        [["status", "--host", ""], 2],
        // An address is not followed by another one where an argument follows it.
        [["logs", "--host", "127.0.0.1", "--identity-file", "/nowhere", "--host", "127.0.0.2", "events"], 1],
        [["status"], 1],
    ])("of %j is %d", (args, expected) => {
        const { status: code, stderr } = status(...args);
        expect({ code, stderr }).toMatchObject({ code: expected });
        expect(stderr).not.toMatch(/^ {4}at /m);
        expect(stderr === "").toBe(expected === 0);
    });
});

describe("completion in bash", () => {
    const script = completionScript("bash", shapes);
    const complete = (...words: string[]): readonly string[] => {
        const line = `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _zeroform; printf '%s\\n' "\${COMPREPLY[@]}"`;
        const { stdout, stderr } = spawnSync("bash", ["--norc", "-uec", line, "bash", "zeroform", ...words], {
            encoding: "utf8",
            env: { ...process.env, HOME: home },
        });
        expect(stderr).toBe("");
        return stdout.split("\n").filter((word) => word !== "");
    };

    it("knows commands below commands", () => {
        expect(complete("")).toEqual(zeroform().commands.map((each) => each.name()));
        expect(complete("tr")).toEqual(["trash"]);
        expect(complete("trash", "")).toEqual(["list", "purge", "restore"]);
        expect(complete("dev", "power")).toEqual(["power-off", "power-on"]);
    });

    it("knows options, and steps over their values", () => {
        expect(complete("logs", "--fo")).toEqual(["--follow"]);
        expect(complete("trash", "list", "--js")).toEqual(["--json"]);
        expect(complete("--version", "logs", "-n", "trash", "--si")).toEqual(["--since"]);
        expect(complete("status", "--port", "")).toEqual([]);
    });

    it("knows choices, hosts of ssh's configuration, and files", () => {
        expect(complete("completion", "")).toEqual(["bash", "zsh", "fish"]);
        expect(complete("status", "--host", "")).toEqual(["alpha", "beta", "gamma"]);
        expect(complete("shell", "g")).toEqual(["gamma"]);
        expect(complete("status", "--identity-file", `${home}/.s`)).toEqual([`${home}/.ssh`]);
    });

    it("sources without a word", () => {
        expect(spawnSync("bash", ["-ec", script], { encoding: "utf8" })).toMatchObject({ status: 0, stdout: "", stderr: "" });
    });
});

const inFish = (flag: string): string => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`);

/** The scripts were run in zsh 5.9 and fish 3.6 by hand; that nothing is left out is what can break. */
describe.each(["zsh", "fish"] as const)("completion in %s", (shell) => {
    const script = completionScript(shell, shapes);

    it("has every command and option at its place", () => {
        for (const { path, commands, options } of shapes) {
            const lines = script
                .split("\n")
                .filter((line) => (shell === "zsh" ? line.trim().startsWith(`"${path}")`) : line.includes(`__zeroform_at "${path}"'`)));
            const here = lines.join("\n");
            for (const { name } of commands) expect(here).toContain(shell === "zsh" ? `'${name}:` : ` -a ${name} -d '`);
            for (const flag of options.flatMap(({ flags }) => flags))
                expect(here).toContain(shell === "zsh" ? `'${flag}:` : ` ${inFish(flag)} `);
        }
    });

    it("quotes everything that it quotes to its end", () => {
        const quotes = shell === "zsh" ? script.replaceAll("'\\''", "") : script.replaceAll("\\'", "");
        for (const line of quotes.split("\n")) expect(line.split("'").length % 2, line).toBe(1);
    });
});
