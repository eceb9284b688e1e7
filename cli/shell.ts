import { finished } from "node:stream/promises";
import type { Command } from "commander";
import { ZeroformError } from "../protocol/errors.ts";
import type { Terminal } from "../provider/node/pool.ts";
import { explain } from "./help.ts";
import { type NodeOptions, nodesByName, overSsh, withWayOptions } from "./nodes.ts";

interface Options extends Omit<NodeOptions, "host"> {
    readonly tty?: boolean;
}

/** As ssh, so that scripts can tell it from what the command says. */
const OWN_FAILURE = 255;

/** `zeroform shell`: a shell on a node, reached as the stack reaches it. */
export const register = (program: Command): void => {
    const command = withWayOptions(
        program
            .command("shell")
            .argument("<node>", "name of a Node in the selected stack, or an address, name or ~/.ssh/config alias")
            .argument("[command...]", "what to run there instead of a shell; its words are joined with blanks, as ssh does")
            .option("-t, --tty", "give the command a terminal")
            .passThroughOptions(),
    )
        .description("open a shell on a node, or run a command there, reached with the same keys and host key as by the stack")
        .action(async (name: string, [first, ...rest]: readonly string[], options: Options) => {
            // `--` before the command is what kubectl asks for and ssh allows.
            const words = first === undefined || first === "--" ? rest : [first, ...rest];
            try {
                process.exitCode = await shell(name, words, options);
            } catch (thrown) {
                if (!(thrown instanceof ZeroformError)) throw thrown;
                console.error(thrown.sentence());
                process.exitCode = OWN_FAILURE;
            }
        });
    explain(command, {
        details: [
            "The shell is that of the Node's SSH user. Options for zeroform come before the name of the node; what follows it belongs to the command. Without a command and on a terminal, the terminal is passed on, with its size and all its keys; with a command, standard input, output and error are passed on as they are, and Ctrl-C ends zeroform, not the command: give it a terminal with -t for that.",
        ],
        examples: [
            ["zeroform shell alpha", "a shell on the Node alpha of the selected stack"],
            ["zeroform shell alpha systemctl --failed", "one command"],
            ["zeroform shell alpha 'tar c /etc' > etc.tar", "its output as it is, byte by byte"],
            ["zeroform shell -t alpha top", "a command that wants a terminal"],
        ],
        exits: [
            ["n", "what the shell or the command ended with; 128 and more when a signal ended it"],
            ["2", "also: wrong use"],
            ["255", "the node was not reached, or was lost"],
        ],
    });
};

const shell = (name: string, words: readonly string[], { tty, ...options }: Options): Promise<number> =>
    overSsh(async (connect) => {
        const node = (await nodesByName([name], options))(name);
        const connection = await connect(node);
        const { stdin, stdout, stderr } = process;
        const terminal = (words.length === 0 && stdin.isTTY) || tty ? ownTerminal() : undefined;
        const signal = new AbortController().signal;
        const { channel, exit } = await (words.length === 0
            ? connection.openShell(signal, terminal)
            : connection.open(words.join(" "), signal, terminal));

        const resize = () => channel.setWindow(stdout.rows, stdout.columns, 0, 0);
        if (terminal) stdout.on("resize", resize);
        const isRaw = terminal !== undefined && stdin.isTTY;
        if (isRaw) stdin.setRawMode(true);
        try {
            stdin.pipe(channel);
            channel.stderr.pipe(stderr, { end: false });
            channel.pipe(stdout, { end: false });
            // How it ended, or that it was cut off, is what `exit` says.
            await Promise.race([finished(channel, { writable: false }).catch(() => undefined), connection.closed]);
        } finally {
            if (isRaw) stdin.setRawMode(false);
            stdout.off("resize", resize);
            stdin.unpipe(channel);
            // A terminal or pipe that is still read keeps the process alive.
            stdin.destroy();
        }
        const { code, signal: signalName } = await Promise.race([exit, connection.closed.then(() => LOST)]);
        if (code !== undefined) return code;
        if (signalName !== undefined) return 128 + (SIGNALS[signalName.replace(/^SIG/, "")] ?? 0);
        throw new ZeroformError({ code: "SSH_LOST", node: node.name, message: `the connection to ${node.name} was lost` });
    });

/** The size of a terminal that nobody has: what programs take when they are not told. */
const [USUAL_ROWS, USUAL_COLUMNS] = [24, 80];

const ownTerminal = (): Terminal => ({
    type: process.env.TERM || "xterm",
    rows: process.stdout.rows ?? USUAL_ROWS,
    columns: process.stdout.columns ?? USUAL_COLUMNS,
});

const LOST = { code: undefined, signal: undefined };

/** Numbers that signals have on Linux, by the names that SSH gives them (RFC 4254, section 6.10). */
const SIGNALS: Readonly<Record<string, number>> = {
    HUP: 1,
    INT: 2,
    QUIT: 3,
    ILL: 4,
    ABRT: 6,
    FPE: 8,
    KILL: 9,
    USR1: 10,
    SEGV: 11,
    USR2: 12,
    PIPE: 13,
    ALRM: 14,
    TERM: 15,
};
