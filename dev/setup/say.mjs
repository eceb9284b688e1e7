// How set-up talks: one line for what is done, silence where nothing is to be done. Plain JavaScript for Node.js 18 and later without any
// dependency, as everything in this directory: it runs before the dependencies are there.
import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A failure the user can mend: its message is one sentence that says what to do. */
export class SetupError extends Error {}

export function say(text) {
    process.stdout.write(`set-up: ${text}\n`);
}

const PROGRESS_INTERVAL_MS = 15_000;
const TAIL_LINES = 20;

/**
 * Runs a step of unknown length: says its name, then every 15 s how long it has taken and what it is at, then that it is done. Its own output
 * is shown only when it fails.
 * @param {string} label
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, detail?: (output: string) => string, failure: string }} options
 */
export function step(label, file, args, options) {
    say(`${label} ...`);
    const started = Date.now();
    const seconds = () => Math.round((Date.now() - started) / 1000);
    return new Promise((resolve, reject) => {
        let output = "";
        const child = spawn(file, args, { cwd: options.cwd ?? ROOT, env: options.env ?? process.env, stdio: ["ignore", "pipe", "pipe"] });
        const note = (chunk) => {
            output += chunk;
        };
        child.stdout.on("data", note);
        child.stderr.on("data", note);
        // An interrupted set-up takes its step along.
        const kill = () => child.kill();
        process.once("exit", kill);
        const timer = setInterval(
            () => say(`${label}: ${seconds()} s${options.detail ? `, ${options.detail(output)}` : ""}`),
            PROGRESS_INTERVAL_MS,
        );
        child.on("error", (error) => {
            clearInterval(timer);
            process.removeListener("exit", kill);
            reject(new SetupError(`${options.failure} (${file} could not be started: ${error.message}).`));
        });
        child.on("close", (code) => {
            clearInterval(timer);
            process.removeListener("exit", kill);
            if (code === 0) {
                say(`${label}: done in ${seconds()} s`);
                resolve(output);
                return;
            }
            process.stdout.write(`${output.trimEnd().split("\n").slice(-TAIL_LINES).join("\n")}\n`);
            reject(new SetupError(`${options.failure}.`));
        });
    });
}

/** Runs a quick question; undefined when it cannot be asked or fails. */
export function ask(file, args, options = {}) {
    return new Promise((resolve) => {
        let output = "";
        const child = spawn(file, args, { cwd: ROOT, timeout: 20_000, ...options, stdio: ["ignore", "pipe", "ignore"] });
        child.stdout.on("data", (chunk) => {
            output += chunk;
        });
        child.on("error", () => resolve(undefined));
        child.on("close", (code) => resolve(code === 0 ? output.trim() : undefined));
    });
}
