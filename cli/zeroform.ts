#!/usr/bin/env node
import { createRequire } from "node:module";
import { Command } from "commander";
import { DevError } from "../dev/dev-error.ts";
import { ZeroformError } from "../protocol/errors.ts";
import * as dev from "./dev.ts";
import * as machine from "./machine.ts";
import * as status from "./status.ts";
import * as trash from "./trash.ts";

/** Every group of commands is a file that exports `register(program)`; the order here is the order in the help. */
const GROUPS = [status, trash, machine, dev] as const;

const program = new Command("zeroform")
    .description("Zero-OS primitives on any Linux machine reachable over SSH: what goes beside `pulumi up`.")
    .version(version())
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .showHelpAfterError("Run `zeroform --help` for what there is.");
for (const group of GROUPS) group.register(program);

try {
    await program.parseAsync();
} catch (error) {
    process.exitCode = 1;
    if (error instanceof DevError) console.error(error.message);
    else if (error instanceof ZeroformError) console.error(error.sentence());
    else throw error;
}

/** The package's own version; package.json lies one directory up in the sources and two up in the build. */
function version(): string {
    const require = createRequire(import.meta.url);
    return (require("zeroform/package.json") as { version: string }).version;
}
