import { z } from "zod";
import { hops } from "./hop.ts";
import { timeouts } from "./on-node.ts";
import { client, derived, generated, holdingSecrets, output, primitive, replace, secret, update } from "./primitive.ts";
import { duration } from "./quantity.ts";

/** A host and how to log in to it, as `@pulumi/command` has it. */
const login = z.object({
    host: z.string(),
    port: z.number(),
    user: z.string(),
    hostKey: z.string().optional(),
    privateKey: z.string().optional(),
    privateKeyPassword: z.string().optional(),
    agentSocketPath: z.string().optional(),
});

/** A Linux machine reachable over SSH, with the agent on it. */
export const node = primitive({
    kind: "Node",
    summary: "A Linux machine reachable over SSH, with the agent on it.",
    bearsData: false,
    inputs: {
        /** Address, name, or alias from ~/.ssh/config. */
        host: client(z.string({ error: "write host as a name or an address" }).min(1, { error: "host is empty" })),
        /** SSH port. @default from ~/.ssh/config, else 22 */
        port: client(
            z
                .int({ error: "write port as a whole number" })
                .min(1, { error: "a port is 1 to 65535" })
                .max(65_535, { error: "a port is 1 to 65535" })
                .optional(),
        ),
        /** SSH user: root, or one with passwordless sudo. @default from ~/.ssh/config, else "root" */
        user: client(z.string({ error: "write user as a string" }).min(1).optional()),
        /** The machine's SSH host key, `ssh-ed25519 AAAA...`. @default from known_hosts, else accepted at first contact and pinned */
        hostKey: generated(
            client(
                z
                    .string()
                    .regex(/^[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( .*)?$/, { error: 'write hostKey as in known_hosts: "ssh-ed25519 AAAA..."' })
                    .transform((key) => key.split(" ", 2).join(" "))
                    .optional(),
            ),
        ),
        /** Path of a private key file on the machine that runs Pulumi; only the path is kept. @default the SSH agent and ~/.ssh/config */
        identityFile: client(z.string({ error: "write identityFile as a path" }).min(1).optional()),
        /** A private key's text, when no file or SSH agent has it. @default none */
        privateKey: secret(client(z.string({ error: "write privateKey as the text of a private key" }).min(1).optional())),
        /** Passphrase of an encrypted `privateKey` or key file. @default the SSH agent has the key */
        passphrase: secret(client(z.string({ error: "write passphrase as a string" }).min(1).optional())),
        /** Jump hosts on the way, the one dialled first in front: `"user@host:port"`, `{ host, port, user, hostKey, identityFile, privateKey, passphrase }`, or a list of those; `[]` for none. @default ProxyJump or ProxyCommand of ~/.ssh/config */
        via: holdingSecrets(client(hops.optional())),
        /** Become root by sudo. @default true when the user is not root */
        sudo: client(z.boolean({ error: "write sudo as true or false" }).optional()),
        /** What a removal does when the node cannot be reached. @default "fail" */
        onUnreachable: client(z.enum(["fail", "abandon"], { error: 'write onUnreachable as "fail" or "abandon"' }).default("fail")),
        /** Let the agent install missing OS packages. @default true */
        installPackages: client(z.boolean({ error: "write installPackages as true or false" }).default(true)),
        /** How long removed data is kept; "0s" purges at once. @default "1d" */
        trash: client(duration().default("1d")),
        /** How long an operation may take. @default "5m" each */
        timeouts: client(timeouts),
        /** What tells that this is another machine now, such as a cloud instance's id. @default none */
        machine: replace(z.string({ error: "write machine as a string" }).optional(), "it is another machine now"),
        /** Version of the agent on the node. @default this package's */
        agentVersion: update(
            z
                .string({ error: "write agentVersion as a version" })
                .regex(/^\d+\.\d+\.\d+/, { error: 'write agentVersion as "1.2.3"' })
                .optional(),
        ),
    },
    outputs: {
        /** The random id that the machine got when the agent was first installed. */
        machineId: output(z.string()),
        /** The owner that this Node is on the machine. */
        tenant: output(z.string()),
        /** Processor architecture, such as `x86_64`. */
        arch: output(z.string()),
        /** Kernel release. */
        kernel: output(z.string()),
        /** Processor cores. */
        cores: output(z.number()),
        /** Memory in bytes. */
        memory: output(z.number()),
        /** Block devices with their sizes in bytes. */
        disks: output(z.array(z.object({ name: z.string(), bytes: z.number() }))),
        /** Controllers of cgroup v2 that services can be limited with, such as `memory`; an older agent does not tell. */
        controllers: output(z.array(z.string()).optional()),
        /** Host keys of the jump hosts on the way, as lines of known_hosts: pinned at first contact. */
        hopKeys: derived(z.array(z.string())),
        /** For `remote.Command` of `@pulumi/command`. Secret when it holds a private key. */
        connection: derived(login.extend({ proxy: login.optional() })),
    },
});
