// How a demonstration begins and ends: options, a stage that is clear, and everything taken away again however it ends, also by Ctrl-C.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { down, list } from "../dev/hosts/index.ts";
import { endCommands, type PulumiStack, pulumi, say, step } from "./demo-stage.ts";

export interface Demonstration {
    /** The command line that starts it. */
    readonly command: string;
    /** One sentence for `--help`. */
    readonly about: string;
    /** Default name of hosts and stack. */
    readonly prefix: string;
    /** The folder of the program. */
    readonly folder: string;
    /** What somebody may play with who keeps it, beside `pulumi up` and `pulumi destroy`. */
    readonly toys: (prefix: string) => readonly string[];
}

/** What a story is told with. */
export interface Stage extends Demonstration {
    readonly keep: boolean;
    /** For the story's own files; the Pulumi backend lies in it. */
    readonly work: string;
    /** The stack's settings, to be written by the story. */
    readonly config: string;
    readonly stack: PulumiStack;
}

/** A story up to where it may be kept, and how it ends when it is not. */
export interface Story<Kept> {
    tell(): Promise<Kept>;
    end(kept: Kept): Promise<void>;
}

/** The stage that the command line asks for. */
export const stageOf = (demonstration: Demonstration): Stage => {
    const { folder } = demonstration;
    const { keep, prefix } = optionsOf(demonstration);
    const work = join(folder, ".demo", prefix);
    return { ...demonstration, keep, prefix, work, config: join(folder, `Pulumi.${prefix}.yaml`), stack: pulumi(folder, work, prefix) };
};

class Stopped extends Error {
    /** As shells have it of a program that a signal ended. */
    readonly status: number;

    constructor(status: number) {
        super("stopped");
        this.status = status;
    }
}

/** Tells the story on a stage that is clear; the process ends with 0 when all of it was so. */
export const demonstrate = async <Kept>(stage: Stage, story: Story<Kept>): Promise<void> => {
    let isKept = false;
    try {
        await untilStopped(async () => {
            await clear(stage);
            const kept = await story.tell();
            if (stage.keep) {
                isKept = true;
                return sayHowToPlay(stage);
            }
            await story.end(kept);
            await step("the hosts go too", async () => {
                await clear(stage);
                const left = await list({ prefix: stage.prefix });
                if (left.length > 0) throw new Error(`still there: ${left.map(({ name }) => name).join(", ")}`);
            });
            say("\nDone: every step above was checked, not just run.");
        });
    } catch (thrown) {
        if (thrown instanceof Stopped) {
            console.error("\nStopped; taking everything away again.");
            process.exitCode = thrown.status;
            await endCommands();
        } else {
            console.error(`\nThe demo stopped: ${wordsOf(thrown)}`);
            process.exitCode = 1;
        }
    }
    if (!isKept)
        await clear(stage).catch((failure: unknown) => {
            console.error(`Not everything could be taken away: ${wordsOf(failure)}`);
            process.exitCode = 1;
        });
    // What a stopped story still waits for shall not hold up the end.
    process.exit();
};

const wordsOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

const optionsOf = ({ command, about, prefix: usual }: Demonstration) => {
    const { values } = parseArgs({
        options: {
            keep: { type: "boolean", default: false, short: "k" },
            prefix: { type: "string", default: usual },
            help: { type: "boolean", default: false, short: "h" },
        },
    });
    if (!values.help) return values;
    say(
        `${command} [-- --keep]\n\n${about}\n\n--keep           leave hosts and stack running, and say how to play with them\n--prefix <name>  name of the hosts and of the stack (default: ${usual})`,
    );
    process.exit(0);
};

/** Until a first signal; a second one ends this process as signals do, and leaves what there is. */
const untilStopped = async (act: () => Promise<void>): Promise<void> => {
    const stopped = Promise.withResolvers<never>();
    for (const [signal, status] of [
        ["SIGINT", 130],
        ["SIGTERM", 143],
    ] as const)
        process.once(signal, () => stopped.reject(new Stopped(status)));
    await Promise.race([act(), stopped.promise]);
};

const clear = async ({ prefix, work, config }: Stage): Promise<void> => {
    await down({ prefix });
    await rm(work, { recursive: true, force: true });
    await rm(config, { force: true });
};

const sayHowToPlay = ({ folder, toys, prefix, stack }: Stage): void => {
    const variables = Object.entries({ PATH: process.env.PATH ?? "", ...stack.environment });
    const lines = [
        `cd ${folder}`,
        ...variables.map(([name, value]) => `export ${name}='${value}'`),
        ...toys(prefix),
        `pulumi destroy; npx zeroform dev down --prefix ${prefix}`,
    ];
    say(`\nLeft running. To play with it:\n\n${lines.map((line) => `    ${line}\n`).join("")}`);
};
