import type { Command } from "commander";
import type { Result, TrashStatus } from "../protocol/api.ts";
import { ZeroformError } from "../protocol/errors.ts";
import { isLife } from "../protocol/ids.ts";
import { duration, formatSize, millisecondsOf } from "../schema/quantity.ts";
import { confirm } from "./confirm.ts";
import { explain, WrongUse } from "./help.ts";
import { askEach, change, type NamedNode, type NodeOptions, nodesOf, withNodeOptions } from "./nodes.ts";
import { harmless } from "./text.ts";

interface Options extends NodeOptions {
    readonly all?: boolean;
    readonly olderThan?: string;
    readonly yes?: boolean;
    readonly json?: boolean;
}

type Purged = Result<"trash.purge">["pieces"];

interface Chosen {
    readonly node: NamedNode;
    readonly pieces: readonly TrashStatus[];
}

/** `zeroform trash purge`: deletes removed data for good, before its time. */
export const registerPurge = (trash: Command): void => {
    const command = withNodeOptions(
        trash.command("purge").argument("[life...]", "lives of the removed resources, as `trash list` shows them"),
    )
        .description("delete removed data for good, before its time")
        .option("--all", "everything in the trash of the selected stack, or with --host of the machine")
        .option("--older-than <duration>", "only what was removed longer ago, such as 3d")
        .option("--yes", "do not ask")
        .option("--json", "print a JSON array: node, and pieces with life, kind, name, bytes, and failure where there is one")
        .action(async (lives: readonly string[], options: Options) => {
            const wanted = pieceFilter(lives, options);
            const chosen = await choose(options, wanted);
            for (const life of lives)
                if (!chosen.some(({ pieces }) => pieces.some((piece) => piece.life === life))) throw absent(life, options);
            const pieces = chosen.flatMap((each) => each.pieces);
            if (pieces.length === 0) return void console.log(options.json ? "[]" : "nothing in the trash to purge");
            const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
            const names = pieces.slice(0, 5).map(({ kind, name }) => `${kind} "${name}"`);
            const more = pieces.length > names.length ? ` and ${pieces.length - names.length} more` : "";
            await confirm(`this deletes the data of ${names.join(", ")}${more} (${formatSize(bytes)}) for good`, "purge", options.yes);
            const done = [];
            for (const each of chosen) done.push({ node: each.node.name, pieces: await purge(each, options) });
            if (options.json) console.log(JSON.stringify(done, null, 2));
        });
    explain(command, {
        details: [
            "Without a terminal to ask on, --yes has to be there. What belongs to another stack is only touched when its machine is named with --host.",
        ],
        examples: [
            ["zeroform trash purge --older-than 3d", "what the selected stack has removed more than three days ago"],
            ["zeroform trash purge l4k2m9p7q3r8s5t6v --yes", "one piece, without a question"],
            ["zeroform trash purge --all --host 10.0.0.11", "everything in the trash of a machine"],
        ],
    });
};

/** Which pieces are meant, by what the options say. */
const pieceFilter = (lives: readonly string[], { all, olderThan }: Options): ((piece: TrashStatus) => boolean) => {
    const notALife = lives.find((life) => !isLife(life));
    if (notALife !== undefined) throw new WrongUse(`"${notALife}" is not a life`, "`zeroform trash list` shows them.");
    if (lives.length === 0 && !all && olderThan === undefined)
        throw new WrongUse("what is to be purged is not said", "Name lives (`zeroform trash list` shows them), --older-than, or --all.");
    if (lives.length > 0 && (all || olderThan !== undefined))
        throw new WrongUse("lives are named beside --all or --older-than", "Give one of them.");
    if (lives.length > 0) return (piece) => lives.includes(piece.life);
    const before = olderThan === undefined ? Number.POSITIVE_INFINITY : Date.now() - ageOf(olderThan);
    return (piece) => piece.removedAt <= before;
};

const ageOf = (text: string): number => {
    const { success, data } = duration().safeParse(text);
    if (success) return millisecondsOf(data);
    throw new WrongUse(`"${text}" is not a duration`, 'Write --older-than as "3d", "12h" or "30m".');
};

/** What the trash of each node has of it; of a stack's node only what is the stack's own. */
const choose = async (options: Options, wanted: (piece: TrashStatus) => boolean): Promise<readonly Chosen[]> => {
    const answers = await askEach(await nodesOf(options), (link) => link.request("trash.list", {}));
    for (const { node, answer } of answers) if (answer instanceof ZeroformError) throw answer.with({ node: node.name });
    return answers.flatMap(({ node, answer }) => {
        if (answer instanceof ZeroformError) return [];
        const pieces = answer.filter((piece) => wanted(piece) && (node.tenant === undefined || node.tenant === piece.tenant));
        return pieces.length === 0 ? [] : [{ node, pieces }];
    });
};

const purge = async ({ node, pieces }: Chosen, { json }: Options): Promise<Purged> => {
    const lives = pieces.map(({ life }) => life);
    const done = await change(node, (link) => link.request("trash.purge", { lives }));
    const failures = sayStillThere(node, done.pieces);
    const freed = done.pieces.reduce((sum, { bytes }) => sum + bytes, 0);
    const count = done.pieces.length - failures;
    if (!json) console.log(`${node.name}: ${count} of ${pieces.length} purged, ${formatSize(freed)} freed`);
    return done.pieces;
};

/** Says which data could not be purged, and lets the command end with that; how many they are. */
export const sayStillThere = (node: NamedNode, pieces: Purged): number => {
    const left = pieces.flatMap(({ failure, ...piece }) => (failure ? [{ ...piece, failure: new ZeroformError(failure) }] : []));
    for (const { kind, name, life, failure } of left)
        console.error(harmless(`${node.name}: the data of ${kind} "${name}" (${life}) are still there: ${failure.sentence()}`));
    if (left.length > 0) process.exitCode = 1;
    return left.length;
};

const absent = (life: string, { host }: Options) =>
    new ZeroformError({
        code: "LIFE_UNKNOWN",
        message: `${life} is not in the trash${host ? ` of ${host.join(", ")}` : " of the selected stack"}`,
        hint: host
            ? "`zeroform trash list` shows what is."
            : "`zeroform trash list` shows what is; what belongs to another stack is named with --host.",
    });
