import { randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import type { Command } from "commander";
import { ZeroformError } from "../protocol/errors.ts";
import { LAUNCHER } from "../protocol/layout.ts";
import { skipNoise } from "../provider/node/after-noise.ts";
import { NO_SUDO_STATUS, rootCommand } from "../provider/node/root-command.ts";
import { explain, WrongUse } from "./help.ts";
import { type NamedNode, type NodeOptions, nodesOf, overSsh, withWayOptions } from "./nodes.ts";

type Options = Omit<NodeOptions, "host">;

/** `zeroform zstor`: what is in a dispersed store, from here. */
export const register = (program: Command): void => {
    const command = withWayOptions(
        program
            .command("zstor")
            .argument("<store>", "name of a ZStor or DispersedStore in the selected stack")
            .argument("[command...]", "put, get, import, export, ls, rm, status, repair ...; --help lists all of them")
            .passThroughOptions(),
    )
        .description("put, get, list and check what is in a dispersed store, through its front end on its node")
        .action(async (name: string, words: readonly string[], options: Options) => {
            const [first] = words;
            if (first === undefined) throw new WrongUse("there is no command for the store", `See zeroform zstor ${name} --help.`);
            if (OF_THE_NODE.has(first)) throw new WrongUse(`${first} is for the node itself`, "Run it there, with zeroform shell.");
            process.exitCode = await onFrontEnd(await storeNamed(name, options), words);
        });
    explain(command, {
        details: [
            "Runs the command on the node of the store's front end, as root over the stack's own SSH connection, with standard input and output passed on byte by byte. The file of put is a file here. status speaks in sentences; with --json it prints what programs read.",
            "import takes a tar archive, export gives one, so that whole directories are one command each. What a command does in detail: zeroform zstor <store> <command> --help.",
        ],
        examples: [
            ["zeroform zstor photos put 2026/beach.jpg beach.jpg", "store one file"],
            ["zeroform zstor photos get 2026/beach.jpg > beach.jpg", "and have it again"],
            ["tar c -C ~/photos . | zeroform zstor photos import 2026/", "store a directory"],
            ["zeroform zstor photos export 2026/ | tar x", "and have it again"],
            ["zeroform zstor photos status", "what is stored, and what could still be lost"],
            ["zeroform zstor photos repair --wait", "wait until all shards are where they are safe"],
        ],
        exits: [
            ["0", "done"],
            ["1", "it failed, or the node was not reached"],
            ["2", "wrong use: an unknown command, option or value"],
            ["3", "another front end has taken the store over"],
        ],
    });
};

interface FrontEnd {
    readonly node: NamedNode;
    readonly socket: string;
}

const storeNamed = async (name: string, options: Options): Promise<FrontEnd> => {
    const stores = (await nodesOf(options)).flatMap((node) =>
        (node.resources ?? []).filter(({ kind }) => kind === "ZStor").map((store) => ({ node, ...store })),
    );
    const named = stores.filter((store) => [store.name, store.urn].includes(name));
    const [found] = named;
    if (found === undefined) {
        const there = stores.map((store) => store.name).join(", ");
        const hint = there === "" ? "It has none: run pulumi up first." : `It has ${there}.`;
        throw new ZeroformError({ code: "INVALID", message: `the stack has no ZStor "${name}"`, hint });
    }
    if (named.length > 1) {
        const hint = `Name one by its URN: ${named.map(({ urn }) => urn).join(", ")}.`;
        throw new ZeroformError({ code: "INVALID", message: `the stack has ${named.length} ZStors "${name}"`, hint });
    }
    const { node, outputs } = found;
    if (typeof outputs.socket === "string") return { node, socket: outputs.socket };
    const hint = "Run pulumi up, which goes on with what it lacks.";
    throw new ZeroformError({ code: "NOT_READY", node: node.name, message: `ZStor "${name}" has not been ready yet`, hint });
};

const NO_LAUNCHER_STATUS = 69;
/** Behind what a talkative login shell prints, the words come by arguments that no login shell changes: what is in a name is anybody's. */
const ON_NODE = `[ -x ${LAUNCHER} ] || exit ${NO_LAUNCHER_STATUS};
mark=$1; shift; count=$#;
while [ $count -gt 0 ]; do word=$(printf %s "$1" | base64 -d; printf x); shift; set -- "$@" "\${word%x}"; count=$((count-1)); done;
printf %s "$mark"; exec ${LAUNCHER} zstor "$@"`;

const onFrontEnd = ({ node, socket }: FrontEnd, words: readonly string[]): Promise<number> =>
    overSsh(async (connect) => {
        const mark = `<${randomUUID()}>`;
        const { said, input } = await spoken(words, mark);
        const connection = await connect(node);
        const encoded = ["--socket", socket, ...said].map((word) => Buffer.from(word).toString("base64"));
        const { channel, exit } = await connection.open(
            rootCommand(connection.target, ON_NODE, [mark, ...encoded]),
            new AbortController().signal,
        );
        channel.stderr.pipe(process.stderr, { end: false });
        if ((await skipNoise(channel, [mark])) === undefined) return withoutAgent(node, (await exit).code);

        const sending = sent(input, mark, channel);
        channel.pipe(process.stdout, { end: false });
        await Promise.race([finished(channel, { writable: false }).catch(() => undefined), connection.closed]);
        // A terminal or pipe that is still read keeps the process alive.
        input?.destroy();
        const { code } = await Promise.race([exit, connection.closed.then(() => ({ code: undefined }))]);
        await sending;
        if (code !== undefined) return code;
        throw new ZeroformError({ code: "SSH_LOST", node: node.name, message: `the connection to ${node.name} was lost` });
    });

/** What is said there, and what is sent with it. */
interface Spoken {
    readonly said: readonly string[];
    readonly input?: Readable;
}

const spoken = async (words: readonly string[], mark: string): Promise<Spoken> => {
    const [command = "", name, file, ...rest] = words;
    if (words.includes("--help")) return { said: words };
    if (SPEAKING.has(command))
        return { said: words.includes("--json") ? words.filter((word) => word !== "--json") : [...words, "--words"] };
    if (command === "import") return { said: [...words, "--until", mark], input: process.stdin };
    if (command !== "put" || name === undefined) return { said: words };
    const said = [command, name, ...rest, "--until", mark];
    return { said, input: file === undefined ? process.stdin : await opened(file) };
};

/** A front end is the agent's to start, and a recovery writes its configuration where it is called. */
const OF_THE_NODE: ReadonlySet<string> = new Set(["serve", "recover"]);
/** Those that end with a status. */
const SPEAKING: ReadonlySet<string> = new Set(["status", "repair"]);

const opened = async (file: string): Promise<Readable> => {
    try {
        return (await open(file)).createReadStream();
    } catch (thrown) {
        throw new ZeroformError({ code: "INVALID", message: `${file} cannot be read: ${(thrown as Error).message}` });
    }
};

/** The input and behind it the mark, without which nothing of it is stored: also a connection that is lost ends what is read there. */
const sent = async (input: Readable | undefined, mark: string, channel: Writable): Promise<void> => {
    if (input === undefined) {
        channel.end();
        return;
    }
    let failure: unknown;
    const marked = async function* () {
        try {
            for await (const bytes of input) yield bytes;
        } catch (thrown) {
            failure = thrown;
            throw thrown;
        }
        yield Buffer.from(mark);
    };
    // What the other end thinks of it is what the command ends with.
    await pipeline(marked, channel).catch(() => undefined);
    if (failure !== undefined && !isEarlyEnd(failure))
        throw new ZeroformError({ code: "INVALID", message: `the input cannot be read to its end: ${(failure as Error).message}` });
};

/** We stop reading once the command has ended. */
const isEarlyEnd = (failure: unknown): boolean =>
    failure instanceof Error && "code" in failure && ["ERR_STREAM_PREMATURE_CLOSE", "ABORT_ERR"].includes(String(failure.code));

const withoutAgent = (node: NamedNode, code: number | undefined): number => {
    if (code !== NO_LAUNCHER_STATUS && code !== NO_SUDO_STATUS) return code ?? 1;
    throw code === NO_LAUNCHER_STATUS
        ? new ZeroformError({ code: "AGENT_GONE", node: node.name, message: `${node.name} has no zeroform agent`, hint: "Run pulumi up." })
        : new ZeroformError({
              code: "SSH_AUTH",
              node: node.name,
              message: `the user on ${node.name} cannot become root`,
              hint: "See zeroform doctor.",
          });
};
