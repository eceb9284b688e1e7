import type { Argument, Command, Option } from "commander";

/** What a value on the command line may be, as far as a shell can complete it. */
export type Value = { readonly kind: "host" | "file" | "text" } | { readonly kind: "choice"; readonly choices: readonly string[] };

export interface OptionShape {
    /** `-f`, `--follow` */
    readonly flags: readonly string[];
    readonly summary: string;
    /** undefined: it takes none. */
    readonly value: Value | undefined;
}

/** A command as a shell completes it. */
export interface CommandShape {
    /** `trash list`; empty for the program itself. */
    readonly path: string;
    readonly commands: readonly { readonly name: string; readonly summary: string }[];
    readonly options: readonly OptionShape[];
    readonly argument: Value | undefined;
}

/** A command and all below it. */
export const shapesOf = (command: Command, path = ""): readonly CommandShape[] => {
    const help = command.createHelp();
    const commands = help.visibleCommands(command).filter((each) => each.name() !== "help");
    const argument = command.registeredArguments[0];
    return [
        {
            path,
            commands: commands.map((each) => ({ name: each.name(), summary: each.description() })),
            options: help.visibleOptions(command).map(optionOf),
            argument: argument && argumentOf(argument),
        },
        ...commands.flatMap((each) => shapesOf(each, `${path} ${each.name()}`.trim())),
    ];
};

const optionOf = ({ short, long, description, required, optional, argChoices }: Option): OptionShape => ({
    flags: [short, long].filter((flag) => flag !== undefined && flag !== null),
    summary: description,
    value: required || optional ? valueNamed(long ?? "", argChoices) : undefined,
});

const argumentOf = (argument: Argument): Value => valueNamed(argument.name(), argument.argChoices);

/** By what it is called: names of Nodes are in a stack, and reading that takes longer than anybody waits for a Tab. */
const valueNamed = (name: string, choices: readonly string[] | undefined): Value => {
    if (choices) return { kind: "choice", choices };
    if (/^(--)?(host|node)$/.test(name)) return { kind: "host" };
    return { kind: /file$/.test(name) ? "file" : "text" };
};
