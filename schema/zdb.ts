import { isIP } from "node:net";
import { z } from "zod";
import { durability } from "./durability.ts";
import { limits } from "./limits.ts";
import { bearingData, onNode } from "./on-node.ts";
import { composedSecret, derived, generated, output, primitive, reference, replace, secret, update } from "./primitive.ts";
import { size } from "./quantity.ts";
import { retention } from "./retention.ts";
import { tls } from "./tls.ts";

/** All addresses of the node. */
export const isWildcard = (address: string): boolean => address === "0.0.0.0" || address === "::";

/** An always-append key-value store that speaks the Redis protocol: one namespace on a Zero-DB server of the node. */
export const zdb = primitive({
    kind: "Zdb",
    summary: "An always-append key-value store that speaks the Redis protocol: one namespace on a Zero-DB server of the node.",
    bearsData: true,
    inputs: {
        ...onNode,
        /** The ZMount that holds its data. @default the agent's own data directory */
        mount: reference(replace(z.string().optional(), "data is not moved between mounts")),
        /** Quota: the bytes of live values it may hold. Never below what is used. */
        size: update(size()),
        /** Allow a size for which the mount has no room, should all Zdbs on it be full at the same time. @default false */
        oversubscribe: update(z.boolean({ error: "write oversubscribe as true or false" }).default(false)),
        /** `user`: keys chosen by the client. `seq`: ids given by the store. @default "user" */
        mode: replace(
            z.enum(["user", "seq"], { error: 'write mode as "user" or "seq"' }).default("user"),
            "keys of one mode mean nothing in the other",
        ),
        /** What clients authenticate with, 8 to 63 printable characters. @default generated, and kept */
        password: secret(
            generated(
                update(
                    z
                        .string({ error: "write password as a string" })
                        .regex(/^[\x21-\x7e]{8,63}$/, { error: "a password is 8 to 63 printable ASCII characters without spaces" })
                        .optional(),
                ),
            ),
        ),
        /** Let anyone who reaches it read without the password. @default false */
        public: update(z.boolean({ error: "write public as true or false" }).default(false)),
        /** Write once: a key that has a value keeps it, and none can be deleted. @default false */
        worm: update(z.boolean({ error: "write worm as true or false" }).default(false)),
        /** `open`; `locked`: it can be read only; `frozen`: it cannot be read either. @default "open" */
        access: update(z.enum(["open", "locked", "frozen"], { error: 'write access as "open", "locked" or "frozen"' }).default("open")),
        /** What an acknowledged write survives besides the death of its server: `none` promises nothing more, after `interval 1s` a power loss takes at most the last second (10ms to 1h), after `commit` nothing. @default "interval 1s" */
        durability: update(durability.default("interval 1s")),
        /** Which versions of a value HISTORY finds for certain: `count 3`, the last three of each key beside the newest; `age 24h`, those that were the newest within that time. They count as used on the disk, not in `size`. @default "none", best effort until it is compacted */
        history: update(retention.default("none")),
        /** Absolute path of a program on the node that is told what happens to it, as the server's user and confined as it is. @default none */
        hook: update(
            z
                .string({ error: "write hook as the absolute path of a program on the node" })
                .regex(/^\/[\x20-\x7e]{1,1000}$/, { error: "write hook as the absolute path of a program on the node" })
                // Servers tell it at the end of a line: what they tell would never be what is wished.
                .refine((path) => !path.endsWith(" "), { error: "hook ends with a blank: write the path of the program without it" })
                .optional(),
        ),
        /** IP address of the node that it listens on. Never wider than written. @default "127.0.0.1" */
        listen: update(
            z
                .string({ error: "write listen as an IP address of the node" })
                .refine((address) => isIP(address) !== 0, {
                    error: 'write listen as an IP address of the node, such as "10.0.0.11" ("0.0.0.0" or "::" for all of them)',
                })
                .default("127.0.0.1"),
        ),
        /** TCP port. @default one per server, from 9900 up, kept */
        port: generated(
            update(
                z
                    .number({ error: "write port as a number" })
                    .int()
                    .min(1024, { error: "a port is 1024 to 65535" })
                    .max(65_535, { error: "a port is 1024 to 65535" })
                    .optional(),
            ),
        ),
        /** Speak TLS, with PEM texts: `{ certificate, privateKey, clientCa }`. With `clientCa` clients have to show a certificate that it has signed. A renewed certificate disconnects nobody. @default plain TCP */
        tls: secret(update(tls)),
        /** What its server may take of the machine: `{ memory: "512MiB", cpu: 0.5, ioWeight: 50 }`, each optional. Zdbs that share a server get the largest that one of them asks for. @default three quarters of the memory, all cores, the usual weight */
        limits: update(limits),
        ...bearingData,
    },
    outputs: {
        /** Its name on the server: what clients SELECT or authenticate as. */
        namespace: output(z.string()),
        /** Address that clients connect to. */
        host: derived(z.string()),
        /** `redis://<namespace>:<password>@<host>:<port>`, `rediss://` with `tls`. */
        url: composedSecret(z.string(), ["namespace", "password", "host", "port", "tls"], ({ namespace, password, host, port, tls }) => {
            const authority = isIP(String(host)) === 6 ? `[${host}]` : host;
            return `${tls === undefined ? "redis" : "rediss"}://${namespace}:${encodeURIComponent(String(password))}@${authority}:${port}`;
        }),
    },
    exclusive: (inputs) => inputs.port !== undefined,
    derive: ({ inputs: { listen }, address }) => ({ host: isWildcard(String(listen)) ? address : String(listen) }),
});
