import { z } from "zod";
import { hops } from "./hop.ts";
import { client, hidden, holdingSecrets, reference, replace } from "./primitive.ts";
import { duration } from "./quantity.ts";

/** How to reach a node: what a Node's program says, in the shape that every resource on the node carries with it. */
export const reach = z.object({
    host: z.string().min(1),
    port: z.number().int().min(1).max(65_535).optional(),
    user: z.string().min(1).optional(),
    /** `<type> <base64>` as in known_hosts; given by the program or pinned at first contact. */
    hostKey: z.string().optional(),
    identityFile: z.string().optional(),
    privateKey: z.string().optional(),
    /** Of an encrypted key. */
    passphrase: z.string().optional(),
    /** Jump hosts, the one dialled first in front; left out: as ssh's configuration says. */
    via: hops.optional(),
    /** Host keys of jump hosts pinned at first contact, as lines of known_hosts. */
    hopKeys: z.array(z.string()).optional(),
    sudo: z.boolean().optional(),
    onUnreachable: z.enum(["fail", "abandon"]).default("fail"),
    trash: duration().default("1d"),
    installPackages: z.boolean().default(true),
});
export type Reach = z.output<typeof reach>;

/** The same as it is stored with every resource: without defaults, since an engine that keeps its state in a file writes all of it at every step. */
const written = reach
    .extend({
        onUnreachable: reach.shape.onUnreachable.unwrap().optional(),
        trash: duration().optional(),
        installPackages: z.boolean().optional(),
    })
    .transform((connection) => Object.fromEntries(Object.entries(connection).filter(([field, value]) => value !== DEFAULTS[field])));
const DEFAULTS: Readonly<Record<string, unknown>> = { onUnreachable: "fail", trash: "1d", installPackages: true };

/** Longest waits of each operation. */
export const timeouts = z
    .strictObject(
        { create: duration().optional(), update: duration().optional(), delete: duration().optional() },
        { error: 'write timeouts as { create: "5m", update: "5m", delete: "5m" }' },
    )
    .optional();

/** The inputs that every resource on a node has. */
export const onNode = {
    /** The machine and tenant it lives on. */
    node: reference(replace(z.string(), "a resource does not move between nodes")),
    /** The Node's `machine`: known in a preview when the Node's id is not. */
    nodeMachine: hidden(replace(z.string().optional(), "the node became another machine")),
    /** How its node is reached. */
    connection: holdingSecrets(hidden(client(written))),
    /** The Node's URN: by it a removal knows a machine that took the place of the one the resource was on. */
    nodeUrn: hidden(client(z.string().optional())),
    /** How long an operation may take. @default "5m" each */
    timeouts: client(timeouts),
};

/** The inputs of primitives that bear data. */
export const bearingData = {
    /** What happens to the data when the resource is removed: to the trash, or left where it is. @default "delete" */
    onRemove: client(z.enum(["delete", "keep"], { error: 'write onRemove as "delete" or "keep"' }).default("delete")),
    /** Allow a change that replaces the resource and so starts it without its data. @default false */
    replaceData: client(z.boolean({ error: "write replaceData as true or false" }).default(false)),
};
