import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { afterAll, describe, expect, it } from "vitest";
import { shapesOf } from "./command-tree.ts";
import { completionScript, SHELLS, type Shell } from "./completion-scripts.ts";
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

/** What a shell offers for the last of the words, as the shell itself sees it: without settings of whoever runs this. */
const SHELL_COMMANDS: Readonly<Record<Shell, (script: string, words: readonly string[]) => readonly string[]>> = {
    bash: (script, words) => [
        "bash",
        "--norc",
        "-uec",
        `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _zeroform; printf '%s\\n' "\${COMPREPLY[@]}"`,
        "bash",
        "zeroform",
        ...words,
    ],
    // Its completion system works on a terminal only. What the script calls of it is put in its place, so that the script's own part runs.
    zsh: (script, words) => ["zsh", "-fec", `${ZSH_WIDGETS}\n${script}\nwords=("$@"); CURRENT=$#; _zeroform`, "zsh", "zeroform", ...words],
    fish: (script, words) => [
        "fish",
        "--no-config",
        "-c",
        `${script}\ncomplete -C (string join ' ' -- zeroform $argv) | string replace -r '\\t.*' ''`,
        "--",
        ...words,
    ],
};
const ZSH_WIDGETS = `
    compdef() { :; }
    _describe() { local each; for each in "\${(@P)2}"; do [[ $each == $words[CURRENT]* ]] && print -r -- "\${each%%:*}"; done; : }
    compadd() { [[ $1 == -- ]] && shift; local each; for each in "$@"; do [[ $each == $words[CURRENT]* ]] && print -r -- "$each"; done; : }
    _files() { print -rl -- $words[CURRENT]*(N); }`;

describe.each(SHELLS)("completion in %s", (shell) => {
    const script = completionScript(shell, shapes);
    const run = (words: readonly string[]) => {
        const [program = "", ...args] = SHELL_COMMANDS[shell](script, words);
        return spawnSync(program, args, { encoding: "utf8", cwd: home, env: { PATH: process.env.PATH, HOME: home } });
    };
    /** Sorted: fish has an order of its own. */
    const complete = (...words: string[]): readonly string[] => {
        const { stdout, stderr, error } = run(words);
        expect({ stderr, error }).toEqual({ stderr: "", error: undefined });
        return stdout
            .split("\n")
            .filter((word) => word !== "")
            .toSorted();
    };

    it("knows commands below commands", () => {
        const names = (path: string) => shapes.find((shape) => shape.path === path)?.commands.map(({ name }) => name) ?? [];
        expect(complete("")).toEqual(names("").toSorted());
        expect(complete("tr")).toEqual(["trash"]);
        expect(complete("trash", "")).toEqual(["list", "purge", "restore"]);
        expect(complete("dev", "power")).toEqual(["power-off", "power-on"]);
        expect(names("dev")).not.toEqual([]);
        for (const { path } of shapes.filter(({ commands }) => commands.length > 0))
            expect(complete(...path.split(" ").filter((word) => word !== ""), ""), path).toEqual(names(path).toSorted());
    });

    it("knows options, and steps over their values", () => {
        expect(complete("logs", "--fo")).toEqual(["--follow"]);
        expect(complete("trash", "list", "--js")).toEqual(["--json"]);
        expect(complete("--version", "logs", "-n", "trash", "--si")).toEqual(["--since"]);
        expect(complete("status", "--port", "")).toEqual([]);
    });

    it("knows choices, hosts of ssh's configuration, and files", () => {
        expect(complete("completion", "")).toEqual(["bash", "fish", "zsh"]);
        expect(complete("status", "--host", "")).toEqual(["alpha", "beta", "gamma"]);
        expect(complete("shell", "g")).toEqual(["gamma"]);
        // Some shells say of a folder that it is one.
        expect(complete("status", "--identity-file", `${home}/.s`).map((path) => path.replace(/\/$/, ""))).toEqual([`${home}/.ssh`]);
    });

    it("has every option at its place", () => {
        for (const { path, options } of shapes)
            expect(complete(...path.split(" ").filter((word) => word !== ""), "--"), path).toEqual(
                expect.arrayContaining(options.flatMap(({ flags }) => flags.filter((flag) => flag.startsWith("--")))),
            );
    });
});
