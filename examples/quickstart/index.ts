import * as pulumi from "@pulumi/pulumi";
import { Node, Zdb, ZMount } from "zeroform";

/** What the program needs to know about a machine; everything but the address may come from ~/.ssh/config and the SSH agent. */
interface Machine {
    name: string;
    host: string;
    user?: string;
    port?: number;
    identityFile?: string;
    hostKey?: string;
}

const config = new pulumi.Config();
const machines = config.requireObject<Machine[]>("machines");
const diskSize = config.get("diskSize") ?? "512MiB";
const password = config.getSecret("eventsPassword"); // generated on the node when not set

const stores = machines.map(({ name, ...reach }) => {
    const node = new Node(name, { ...reach, trash: "0s" });
    const disk = new ZMount(`${name}-disk`, { node, size: diskSize });

    const events = new Zdb(`${name}-events`, { mount: disk, size: "64MiB", listen: reach.host, ...(password && { password }) });
    const ledger = new Zdb(`${name}-ledger`, { mount: disk, size: "64MiB", listen: reach.host, mode: "seq" });

    return { name, path: disk.path, events: events.url, ledger: ledger.url };
});

export const store = Object.fromEntries(stores.map(({ name, ...rest }) => [name, rest]));
