import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { parseArgs } from "node:util";
import { ApiClient } from "./api-client.ts";
import { exportArchive, importArchive } from "./archive.ts";
import { readConfig } from "./config.ts";
import { COMMANDS, helpFor } from "./help.ts";
import { StoreError } from "./object-api.ts";
import { recover } from "./recover.ts";
import { serve } from "./serve.ts";
import type { StoreStatus } from "./status.ts";
import { wordsOf } from "./status-words.ts";
import { until } from "./until.ts";

/** A front end's exit code when another one has taken over: starting it again would take it back. */
const SUPERSEDED = 3;

/** Runs a command; gives the exit code: 0, 1 with a sentence on standard error, 2 for a command line that is none. */
export async function runZstor(argv: readonly string[]): Promise<number> {
    let parsed: ReturnType<typeof parse>;
    try {
        parsed = parse(argv);
    } catch (error) {
        process.stderr.write(`zstor: ${(error as Error).message}\n${helpFor("")}`);
        return 2;
    }
    const { values, positionals } = parsed;
    const [command = "", ...words] = positionals;
    try {
        if (values.help) {
            await write(helpFor(command));
            return 0;
        }
        // Nobody else may read what it writes: names of objects stand in a view, the secret in a configuration.
        if (command === "serve" || command === "recover") process.umask(0o077);
        if (command === "serve" && values.config !== undefined) return await runServer(values.config);
        if (command === "recover" && values.config !== undefined && values.write !== undefined)
            return await print(await recover(readConfig(values.config), values.write, (line) => process.stderr.write(`${line}\n`)));
        if (values.socket === undefined || !COMMANDS.includes(command)) {
            process.stderr.write(helpFor(command));
            return 2;
        }
        const client = await ApiClient.open(values.socket);
        try {
            return await runCommand(client, command, words, values);
        } finally {
            client.close();
        }
    } catch (error) {
        if (!(error instanceof Error)) throw error;
        const isExpected = error instanceof StoreError || "code" in error;
        process.stderr.write(`zstor: ${isExpected ? error.message : `stopped by an error: ${error.stack}`}\n`);
        return error instanceof StoreError && error.failure === "superseded" ? SUPERSEDED : 1;
    }
}

function parse(argv: readonly string[]) {
    return parseArgs({
        args: [...argv],
        allowPositionals: true,
        options: {
            config: { type: "string" },
            write: { type: "string" },
            until: { type: "string" },
            words: { type: "boolean" },
            wait: { type: "boolean" },
            socket: { type: "string" },
            generation: { type: "string" },
            after: { type: "string" },
            limit: { type: "string" },
            help: { type: "boolean" },
        },
    });
}

type Values = ReturnType<typeof parse>["values"];

async function runCommand(client: ApiClient, command: string, words: readonly string[], values: Values): Promise<number> {
    const [name = "", second, third] = words;
    switch (command) {
        case "put":
            return print(await client.put(name, contentOf(second === undefined ? process.stdin : createReadStream(second), values)));
        case "get":
            return copyOut(client.get({ op: "get", name, ...(values.generation ? { generation: Number(values.generation) } : {}) }));
        case "range":
            return copyOut(client.get({ op: "get", name, offset: Number(second), length: Number(third) }));
        case "stat":
        case "history":
        case "check": {
            const result = await client.call({ op: command, name });
            if (result === null) throw new StoreError("not-found", `there is no object ${name}`);
            return print(result);
        }
        case "import":
            return print(await importArchive(client, name, Readable.from(contentOf(process.stdin, values)), complain));
        case "export":
            await exportArchive(client, name, write);
            return 0;
        case "ls":
            return list(client, name, values);
        case "rm":
            if (await client.call({ op: "remove", name })) return 0;
            throw new StoreError("not-found", `there is no object ${name}`);
        case "metrics":
            await write(String(await client.call({ op: "metrics" })));
            return 0;
        case "status": {
            const status = await client.call({ op: "status", asking: true });
            return values.words ? tell(status) : print(status);
        }
        case "repair":
            return values.wait ? repairAll(client, values) : print(await client.call({ op: "repair" }));
        case "explain":
        case "scrub":
        case "sweep":
        case "rebalance":
        case "repack":
        case "rotate-wrapping":
            return print(await client.call({ op: command }));
        default:
            process.stderr.write(helpFor(command));
            return 2;
    }
}

const contentOf = (input: Readable, { until: mark }: Values): AsyncIterable<Uint8Array> =>
    mark === undefined ? input : until(mark, input);

const PAGE = 1000;
const REPAIR_POLL_MS = 200;

/** Names, one a line, page by page. */
async function list(client: ApiClient, prefix: string, values: Values): Promise<number> {
    let left = values.limit === undefined ? Number.POSITIVE_INFINITY : Number(values.limit);
    let { after } = values;
    while (left > 0) {
        const limit = Math.min(PAGE, left);
        const page = (await client.call({ op: "list", prefix, limit, ...(after === undefined ? {} : { after }) })) as { name: string }[];
        for (const { name } of page) await write(`${name}\n`);
        // A page of long names may have fewer than were asked for.
        if (page.length === 0) break;
        left -= page.length;
        after = page.at(-1)?.name;
    }
    return 0;
}

async function copyOut(bytes: AsyncIterable<Buffer>): Promise<number> {
    for await (const part of bytes) await write(part);
    return 0;
}

/** Round after round until nothing is owed, and every metadata replica that answers has everything. */
async function repairAll(client: ApiClient, values: Values): Promise<number> {
    let last = "";
    for (;;) {
        const status = (await client.call({ op: "repair" })) as StoreStatus;
        const filling = status.metadata.members.filter(({ state, isLagging }) => state !== "ok" && !isLagging);
        if (status.owed === 0 && filling.length === 0) return values.words ? tell(status) : print(status);
        const left =
            status.owed > 0
                ? `${status.owed} of ${status.stripes} stripes are still owed shards`
                : `metadata replica ${filling.map(({ name }) => name).join(", ")} is still brought up to date`;
        if (left !== last) complain(left);
        last = left;
        await new Promise((resolve) => setTimeout(resolve, REPAIR_POLL_MS));
    }
}

const tell = (status: unknown): Promise<number> => write(wordsOf(status as StoreStatus)).then(() => 0);

const complain = (line: string): void => void process.stderr.write(`zstor: ${line}\n`);

/** Waits for whoever reads standard output. */
function write(bytes: Buffer | string): Promise<void> {
    return new Promise((resolve, reject) => process.stdout.write(bytes, (error) => (error ? reject(error) : resolve())));
}

async function print(value: unknown): Promise<number> {
    await write(`${JSON.stringify(value, undefined, 2)}\n`);
    return 0;
}

async function runServer(path: string): Promise<number> {
    const stopped = new Promise<string>((resolve) => {
        for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
    });
    await serve(readConfig(path), (line) => process.stdout.write(`${line}\n`), stopped);
    return 0;
}
