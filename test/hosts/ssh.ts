import { type CommandResult, run } from "../../dev/hosts/command.ts";
import { type HostInfo, sshArguments } from "../../dev/hosts/index.ts";

/** Runs a command over the host's real sshd with the distribution's own client. */
export async function ssh(host: HostInfo, argv: readonly string[], user = "root"): Promise<CommandResult> {
    const prefix = host.name.split("-")[0] ?? "";
    return await run("ssh", [...sshArguments(prefix), "-o", "ConnectTimeout=2", "-o", "BatchMode=yes", `${user}@${host.name}`, ...argv]);
}
