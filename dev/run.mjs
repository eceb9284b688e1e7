#!/usr/bin/env node
// Sets up, then runs a program with our Node.js, Bun and Pulumi first on PATH: `node dev/run.mjs [--only part,part] <program> [argument...]`.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { SetupError } from "./setup/say.mjs";
import { main, setUp } from "./setup.mjs";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

await main(async () => {
    const words = process.argv.slice(2);
    const only = words[0] === "--only" ? words.splice(0, 2)[1]?.split(",") : undefined;
    const [program, ...args] = words;
    if (program === undefined)
        throw new SetupError("Name the program to run: node dev/run.mjs [--only part,part] <program> [argument...].");
    const path = await setUp(only);
    process.exitCode = await run(program, args, { ...process.env, PATH: path });
});

/** The program decides about signals: it cleans up, this process waits and ends with its status. */
function run(program, args, env) {
    return new Promise((resolve, reject) => {
        const child = spawn(program, args, { env, stdio: "inherit" });
        process.removeAllListeners("SIGINT").removeAllListeners("SIGTERM");
        for (const signal of SIGNALS) process.on(signal, () => forward(child, signal));
        child.on("error", (error) => reject(new SetupError(`${program} could not be started: ${error.message}.`)));
        child.on("close", (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
    });
}

/** From a terminal the whole group has got Ctrl-C already. */
function forward(child, signal) {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
}
