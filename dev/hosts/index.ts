/** Test hosts: what tests, examples and the command line use. Everything else in this directory is how. */
export type { CommandOptions, CommandResult } from "./command.ts";
export { cut, exec, join, powerOff, powerOn, reinstall } from "./host.ts";
export { DEFAULT_PREFIX, type HostInfo, type HostRef, list, prefixes, sshArguments } from "./info.ts";
export { down, type UpOptions, up } from "./set.ts";
