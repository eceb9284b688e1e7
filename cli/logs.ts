import { type Command, InvalidArgumentError } from "commander";
import { ZeroformError } from "../protocol/errors.ts";
import { rootCommand } from "../provider/node/root-command.ts";
import { millisecondsOf } from "../schema/quantity.ts";
import { explain, parseCount } from "./help.ts";
import { findSource, type Source } from "./journal-source.ts";
import { type NodeOptions, nodesOf, overSsh, withNodeOptions } from "./nodes.ts";
import { linesOf, print } from "./stream.ts";
import { harmless } from "./text.ts";

interface Options extends NodeOptions {
    readonly follow?: boolean;
    readonly lines?: number;
    readonly since?: string;
    readonly json?: boolean;
}

const USUAL_LINES = 100;

/** `zeroform logs`: the journal of everything that realises a resource. */
export const register = (program: Command): void => {
    const command = withNodeOptions(
        program
            .command("logs")
            .argument("<resource>", "a resource by its name, URN or life; `agent` or the name of a Node for the agent's own log")
            .option("-f, --follow", "go on with what comes, until Ctrl-C")
            .option("-n, --lines <number>", `how many of the latest lines (default: ${USUAL_LINES}, with --since all)`, parseCount)
            .option("--since <when>", 'only what is younger: "30m", "2h", or a date and time such as 2026-05-01T12:00:00Z', parseSince)
            .option("--json", "print each line as a JSON object: at, node, unit, priority, message"),
    )
        .description("show the journal of everything that realises a resource, or of the agent; it works when the agent is down")
        .action(logs);
    explain(command, {
        details: [
            "Shown is what the services and mounts of the resource wrote, and what systemd says about them. All Zdbs of one Node on one mount share a server, and so a log; that is said on standard error. The log of a removed resource is found by its life as long as its data are in the trash.",
        ],
        examples: [
            ["zeroform logs events", "the last 100 lines of the resource events of the selected stack"],
            ["zeroform logs events -f -n 10", "the last 10, and then what comes"],
            ["zeroform logs alpha --since 2h", "two hours of the log of the agent on the Node alpha"],
            ["zeroform logs events --host 10.0.0.11", "the same for a machine, without a stack"],
        ],
    });
};

const logs = (what: string, options: Options): Promise<void> =>
    overSsh(async (connect) => {
        const source = await findSource(await nodesOf(options), what, connect);
        const { node, about, sharedWith } = source;
        if (sharedWith.length > 0) console.error(`${about} on ${node.name} shares its server, and this log, with ${listed(sharedWith)}.`);

        const connection = await connect(node);
        const command = rootCommand(connection.target, JOURNAL, wishes(options));
        const { channel, exit } = await connection.open(command, new AbortController().signal);
        channel.stderr.pipe(process.stderr, { end: false });
        channel.end(source.units.map((unit) => `${unit}\n`).join(""));
        for await (const line of linesOf(channel)) {
            const entry = line.startsWith("{") ? read(line) : undefined;
            if (entry) await print(options.json ? JSON.stringify({ ...entry, node: node.name }) : shown(entry, source));
        }
        const { code } = await exit;
        if (code === undefined)
            throw new ZeroformError({
                code: "SSH_LOST",
                node: node.name,
                message: `the connection to ${node.name} was lost`,
                hint: "Run the same again; --since leaves out what has been shown.",
            });
        process.exitCode = code === 0 ? 0 : 1;
    });

/** Units come by standard input: their names may have a backslash, about which login shells disagree. */
const JOURNAL = `
    while read -r unit; do set -- "$@" --unit "$unit"; done;
    exec journalctl --no-pager --quiet --all --output json --output-fields MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT "$@"`;

const wishes = ({ follow, lines, since }: Options): readonly string[] => {
    const count = lines ?? (since === undefined ? USUAL_LINES : undefined);
    return [
        ...(count === undefined ? ["--lines=all"] : [`--lines=${count}`]),
        ...(since === undefined ? [] : [`--since=${since}`]),
        ...(follow ? ["--follow"] : []),
    ];
};

/** A duration is taken from the node's own clock, which may not be this one's. */
const parseSince = (text: string): string => {
    try {
        return `-${Math.ceil(millisecondsOf(text) / 1_000)}s`;
    } catch {
        const at = Date.parse(text);
        if (Number.isNaN(at)) throw new InvalidArgumentError('Write "30m", "2h", "1d", or a date and time such as 2026-05-01T12:00:00Z.');
        return `@${Math.floor(at / 1_000)}`;
    }
};

interface Entry {
    readonly at: string;
    readonly unit: string;
    /** 0 (emergency) to 7 (debug), as syslog has them. */
    readonly priority: number;
    readonly message: string;
}

/** A line of `journalctl --output json`. */
const read = (line: string): Entry | undefined => {
    try {
        const { __REALTIME_TIMESTAMP, UNIT, _SYSTEMD_UNIT, PRIORITY, MESSAGE } = JSON.parse(line) as Record<string, unknown>;
        return {
            at: new Date(Number(__REALTIME_TIMESTAMP) / 1_000).toISOString(),
            unit: String(UNIT ?? _SYSTEMD_UNIT ?? ""),
            priority: Number(PRIORITY ?? 6),
            // Bytes that are not UTF-8 come as numbers.
            message: Array.isArray(MESSAGE) ? Buffer.from(MESSAGE as number[]).toString("utf8") : String(MESSAGE ?? ""),
        };
    } catch {
        return undefined;
    }
};

const shown = ({ at, unit, message }: Entry, { units }: Source): string =>
    [at, ...(units.length > 1 ? [unit] : []), harmless(message)].join("  ");

const NAMED = 5;
const listed = (names: readonly string[]): string =>
    names.length > NAMED ? `${names.slice(0, NAMED).join(", ")} and ${names.length - NAMED} more` : names.join(", ");
