// What demonstrations say of test hosts, and ask of them.
import { setTimeout as sleep } from "node:timers/promises";
import { exec, type HostInfo } from "../dev/hosts/index.ts";
import { note } from "./demo-stage.ts";

/** Longer than an agent takes on any machine to take itself away. */
const LEAVING_LIMIT_MS = 60_000;

/** A host as the programs' configuration has machines. */
export const machineOf = (name: string, { address, port, user, identityFile, hostKey }: HostInfo) => ({
    name,
    host: address,
    port,
    user,
    identityFile,
    hostKey,
});

/** Units, mounts and files of zeroform on a host. The agent takes itself away a moment after the last removal is answered. */
export async function proveNothingLeft(host: string): Promise<void> {
    const script =
        "ls -A /var/lib/zeroform | grep -v lost+found; ls /etc/systemd/system | grep zeroform; grep zeroform/mounts /proc/mounts; ls -d /run/zeroform";
    const deadline = Date.now() + LEAVING_LIMIT_MS;
    for (;;) {
        const { stdout } = await exec(host, ["sh", "-c", `{ ${script}; } 2>/dev/null; true`]);
        if (stdout.trim() === "") break;
        if (Date.now() > deadline) throw new Error(`left on ${host}:\n${stdout}`);
        await sleep(200);
    }
    note(`${host}: no unit, no mount, no file`);
}
