import { Command } from "commander";
import { VERSION } from "../protocol/version.ts";
import * as adopt from "./adopt.ts";
import * as completion from "./completion.ts";
import * as dev from "./dev.ts";
import * as doctor from "./doctor.ts";
import * as events from "./events.ts";
import * as evict from "./evict.ts";
import * as logs from "./logs.ts";
import * as machine from "./machine.ts";
import * as metrics from "./metrics.ts";
import * as remove from "./remove.ts";
import * as shell from "./shell.ts";
import * as status from "./status.ts";
import * as tenants from "./tenants.ts";
import * as trash from "./trash.ts";
import * as zstor from "./zstor.ts";

/** Every group of commands is a file that exports `register(program)`; the order here is the order in the help. */
const GROUPS = [
    status,
    logs,
    events,
    metrics,
    shell,
    zstor,
    doctor,
    trash,
    remove,
    tenants,
    adopt,
    evict,
    machine,
    completion,
    dev,
] as const;

/** The whole command line. Wrong use ends in a CommanderError. */
export const zeroform = (): Command => {
    const program = new Command("zeroform")
        .description("Zero-OS primitives on any Linux machine reachable over SSH: what goes beside `pulumi up`.")
        .version(VERSION)
        .enablePositionalOptions()
        .exitOverride()
        .showSuggestionAfterError()
        .showHelpAfterError("Run it with --help for what there is.");
    for (const group of GROUPS) group.register(program);
    return program;
};
