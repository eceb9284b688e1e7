#!/usr/bin/env node
import { Command } from "commander";
import { DevError } from "../dev/dev-error.ts";
import { ZeroformError } from "../protocol/errors.ts";
import { VERSION } from "../protocol/version.ts";
import * as dev from "./dev.ts";
import * as machine from "./machine.ts";
import * as remove from "./remove.ts";
import * as status from "./status.ts";
import * as trash from "./trash.ts";

/** Every group of commands is a file that exports `register(program)`; the order here is the order in the help. */
const GROUPS = [status, trash, remove, machine, dev] as const;

const program = new Command("zeroform")
    .description("Zero-OS primitives on any Linux machine reachable over SSH: what goes beside `pulumi up`.")
    .version(VERSION)
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
