import type { Readable } from "node:stream";
import { extract, pack } from "tar-stream";
import type { ApiClient } from "./api-client.ts";
import { type ObjectInfo, StoreError } from "./object-api.ts";

/** What an import did. */
export interface Imported {
    readonly objects: number;
    readonly bytes: number;
    /** Entries that are neither files nor directories: a store has no links. */
    readonly leftOut: number;
}

const LISTED = 1000;

/** Stores each file of a tar archive under a prefix and its path. Each is whole or not there; what came before a failure stays. */
export async function importArchive(
    client: Pick<ApiClient, "put">,
    prefix: string,
    archive: Readable,
    say: (line: string) => void,
): Promise<Imported> {
    const entries = extract();
    archive.on("error", (error) => entries.destroy(error)).pipe(entries);
    let [objects, bytes, leftOut] = [0, 0, 0];
    try {
        for await (const entry of entries) {
            const { name, type } = entry.header;
            if (type === "file" || type === "contiguous-file") {
                const { sizeBytes } = await client.put(prefix + plain(name), entry);
                objects++;
                bytes += sizeBytes;
                continue;
            }
            if (type !== "directory") {
                leftOut++;
                say(`left out ${name}, which is no file but a ${type ?? "thing that has no name"}`);
            }
            entry.resume();
        }
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        const failure = error instanceof StoreError ? error.failure : "invalid";
        throw new StoreError(failure, `the archive was stored up to its first ${objects} files: ${reason}`);
    }
    return { objects, bytes, leftOut };
}

/** The objects below a prefix as a tar archive, their names without it. */
export async function exportArchive(
    client: Pick<ApiClient, "call" | "read">,
    prefix: string,
    write: (bytes: Buffer) => Promise<void>,
): Promise<void> {
    const archive = pack();
    const written = (async () => {
        for await (const part of archive) await write(part as Buffer);
    })();
    const packed = (async () => {
        try {
            for await (const name of namesBelow(client, prefix)) await packObject(client, archive, name, name.slice(prefix.length));
            archive.finalize();
        } catch (error) {
            archive.destroy(error as Error);
            throw error;
        }
    })();
    // Whichever fails first says why; the other ends by it.
    await Promise.all([packed, written]);
}

async function* namesBelow(client: Pick<ApiClient, "call">, prefix: string): AsyncGenerator<string> {
    let after: string | undefined;
    for (;;) {
        const request = { op: "list", prefix, limit: LISTED, ...(after === undefined ? {} : { after }) } as const;
        const page = (await client.call(request)) as readonly ObjectInfo[];
        for (const { name } of page) yield name;
        after = page.at(-1)?.name;
        if (page.length < LISTED) return;
    }
}

async function packObject(client: Pick<ApiClient, "read">, archive: ReturnType<typeof pack>, name: string, as: string): Promise<void> {
    const { info, bytes } = await client.read({ op: "get", name });
    const entry = archive.entry({ name: as === "" ? name : as, size: info.sizeBytes, mtime: new Date(info.createdMs) });
    for await (const part of bytes) if (!entry.write(part)) await new Promise<void>((resolve) => entry.once("drain", resolve));
    await new Promise<void>((resolve, reject) => {
        entry.once("error", reject).once("finish", resolve);
        entry.end();
    });
}

/** `tar c .` writes `./a`; nobody would look for that. */
function plain(name: string): string {
    return name.replace(/^(\.?\/+)+/, "");
}
