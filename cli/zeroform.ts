#!/usr/bin/env node
import { CommanderError } from "commander";
import { DevError } from "../dev/dev-error.ts";
import { ZeroformError } from "../protocol/errors.ts";
import { WrongUse } from "./help.ts";
import { zeroform } from "./program.ts";
import { harmless } from "./text.ts";

/** Wrong use of a command line; 1 is for what failed. */
const USAGE_STATUS = 2;

// Whoever reads the output has seen enough (`| head`).
process.stdout.on("error", (failure: NodeJS.ErrnoException) => {
    if (failure.code !== "EPIPE") throw failure;
    process.exit();
});

try {
    await zeroform().parseAsync();
} catch (error) {
    process.exitCode = 1;
    // It has said what is wrong itself; help and version end this way too.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE_STATUS;
    else if (error instanceof DevError) console.error(error.message);
    else if (error instanceof ZeroformError) {
        console.error(harmless(error.sentence()));
        if (error instanceof WrongUse) process.exitCode = USAGE_STATUS;
    } else throw error;
}
