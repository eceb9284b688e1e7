import { spawn } from "node:child_process";
import type { Machine } from "./hosts.ts";

/** The real CLI, told of a host on the command line. */
export const zeroform = (machine: Machine, args: readonly string[]): Promise<string> =>
    new Promise((resolve, reject) => {
        const reach = [
            "--host",
            machine.host,
            "--user",
            machine.user,
            "--identity-file",
            machine.identityFile,
            "--host-key",
            machine.hostKey,
        ];
        const child = spawn("node", ["dist/cli/zeroform.js", ...args, ...reach], { stdio: ["ignore", "pipe", "pipe"] });
        let [stdout, stderr] = ["", ""];
        child.stdout.on("data", (chunk) => {
            stdout += chunk;
        });
        child.stderr.on("data", (chunk) => {
            stderr += chunk;
        });
        child.on("error", reject);
        child.on("close", (code) =>
            code === 0 ? resolve(stdout) : reject(new Error(`zeroform ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`)),
        );
    });
