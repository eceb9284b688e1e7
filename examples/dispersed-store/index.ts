import * as pulumi from "@pulumi/pulumi";
import { DispersedStore, Node } from "zeroform";

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
const placeOn = ({ name, ...reach }: Machine) => ({ node: new Node(name, { ...reach, trash: "0s" }), listen: reach.host });

// Speaks to whoever puts and gets, and holds nothing but one of the four copies of the metadata.
const front = placeOn(config.requireObject<Machine>("front"));
const places = Object.fromEntries(config.requireObject<Machine[]>("machines").map((machine) => [machine.name, placeOn(machine)]));

// 4 + 2 shards over three machines: two on each, so that any one of them may be lost.
const files = new DispersedStore("files", {
    node: front.node,
    places,
    metadata: { front, ...places },
    size: config.get("size") ?? "1GiB",
    metadataSize: "64MiB",
});

export const secret = files.secret; // with the address of one copy of the metadata it is all that a recovery needs
