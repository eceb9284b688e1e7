import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { must } from "../../dev/hosts/command.ts";

/** A real SSH agent with keys that have no passphrase, and the certificates that lie beside them. */
export const withSshAgent = async (keys: readonly string[]): Promise<AsyncDisposable & { readonly socket: string }> => {
    const directory = await mkdtemp(join(tmpdir(), "zeroform-agent-"));
    const socket = join(directory, "socket");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    const end = async () => {
        if (agent.kill()) await once(agent, "exit");
        await rm(directory, { recursive: true, force: true });
    };
    try {
        const isThere = () =>
            access(socket).then(
                () => true,
                () => false,
            );
        while (!(await isThere()) && agent.exitCode === null) await sleep(20);
        await must("env", [`SSH_AUTH_SOCK=${socket}`, "ssh-add", "-q", ...keys]);
    } catch (thrown) {
        await end();
        throw thrown;
    }
    return { socket, [Symbol.asyncDispose]: end };
};
