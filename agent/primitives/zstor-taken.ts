import { z } from "zod";
import { ZeroformError } from "../../protocol/errors.ts";
import type { Redis } from "../os/redis.ts";
import type { ZStor } from "./zstor-places.ts";

/** A namespace that says nothing for so long, and one that takes so long to say it, is left to the front end. */
const SILENCE_MS = 1_000;
const ANSWER_MS = 1_000;
/** A making that was cut off leaves the mark of a member; a store has its record besides. */
const LEAST_OF_STORE = 2;
const DEFAULT_PORT = 9900;

interface Asking {
    readonly os: { readonly redis: Redis };
    readonly signal: AbortSignal;
}

/**
 * A new ZStor without a secret would get one, which opens nothing where a store lies already. Its front end would find that out, after the life has
 * been made and with a secret in the state that looks like the store's.
 */
export const refuseTaken = async ({ secret, metadata }: Pick<ZStor["spec"], "secret" | "metadata">, asking: Asking): Promise<void> => {
    if (secret !== undefined) return;
    const entries = await Promise.all(metadata.map((url) => entriesAt(url, asking)));
    const taken = entries.flatMap((count, index) => (count >= LEAST_OF_STORE ? [namespaceAt(metadata[index] ?? "")] : []));
    if (taken.length === 0) return;
    throw new ZeroformError({
        code: "CONFLICT",
        message: `no secret is given, and metadata namespaces hold a store already: ${taken.join(", ")}`,
        hint: "Give the secret of that store, or namespaces that are empty.",
    });
};

/** 0 when it cannot be asked: whoever starts says what is wrong with it. */
const entriesAt = async (text: string, { os, signal }: Asking): Promise<number> => {
    const url = new URL(text);
    const namespace = decodeURIComponent(url.username);
    const select = ["SELECT", namespace, ...(url.password === "" ? [] : [decodeURIComponent(url.password)])];
    const place = {
        host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
        port: url.port === "" ? DEFAULT_PORT : Number(url.port),
        tls: url.protocol === "rediss:",
    };
    try {
        const commands = [select, ["NSINFO", namespace]];
        const [, info] = await os.redis.ask(place, commands, { signal, silenceMs: SILENCE_MS, longestMs: ANSWER_MS });
        const found = z.string().safeParse(info);
        return Number(found.data?.match(/^entries: (\d+)$/m)?.[1] ?? 0);
    } catch (failure) {
        if (!(failure instanceof ZeroformError)) throw failure;
        return 0;
    }
};

const namespaceAt = (text: string): string => {
    const url = new URL(text);
    return `${decodeURIComponent(url.username)} at ${url.host}`;
};
