import type { CommandShape, Value } from "./command-tree.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** The script by which a shell completes the command line. Everything is in it: a Tab starts no program but `awk`, for `~/.ssh/config`. */
export const completionScript = (shell: Shell, shapes: readonly CommandShape[]): string => SCRIPTS[shell](shapes);

/** Names of hosts in ssh's configuration, patterns left out. */
const HOSTS = `awk 'tolower($1) == "host" { for (i = 2; i <= NF; i++) if ($i !~ /[*?!]/) print $i }' ~/.ssh/config 2>/dev/null`;

/** Steps from command to command, and over values of options, as cases of \`<path>|<word>\`. */
const walk = (shapes: readonly CommandShape[], enter: (path: string) => string, skip: string): string =>
    shapes
        .flatMap(({ path, commands, options }) => [
            ...commands.map(({ name }) => `        "${path}|${name}") ${enter(`${path} ${name}`.trim())} ;;`),
            ...flagsWithValue(options).map((flag) => `        "${path}|${flag}") ${skip} ;;`),
        ])
        .join("\n");

const flagsWithValue = (options: CommandShape["options"]): readonly string[] =>
    options.filter(({ value }) => value !== undefined).flatMap(({ flags }) => flags);

const bash = (shapes: readonly CommandShape[]): string => `# bash completion of zeroform
_zeroform() {
    local current=\${COMP_WORDS[COMP_CWORD]} at="" skip="" word i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=\${COMP_WORDS[i]}
        if [[ -n $skip ]]; then
            skip=""
            continue
        fi
        case "$at|$word" in
${walk(shapes, (path) => `at="${path}"`, "skip=1")}
        esac
    done
    if [[ -n $skip ]]; then
        case "$at|\${COMP_WORDS[COMP_CWORD - 1]}" in
${valueCases(shapes, bashValue)}
        esac
        return
    fi
    case "$at" in
${shapes
    .map(({ path, commands, options, argument }) => {
        const flags = options.flatMap((option) => option.flags).join(" ");
        const names = commands.map(({ name }) => name).join(" ");
        const others = argument ? bashValue(argument) : `COMPREPLY=($(compgen -W "${names}" -- "$current"))`;
        return `        "${path}") if [[ $current == -* ]]; then COMPREPLY=($(compgen -W "${flags}" -- "$current")); else ${others}; fi ;;`;
    })
    .join("\n")}
    esac
}
complete -o default -F _zeroform zeroform
`;

const bashValue = (value: Value): string => {
    switch (value.kind) {
        case "choice":
            return `COMPREPLY=($(compgen -W "${value.choices.join(" ")}" -- "$current"))`;
        case "host":
            return `COMPREPLY=($(compgen -W "$(${HOSTS})" -- "$current"))`;
        case "file":
            return `COMPREPLY=($(compgen -f -- "$current"))`;
        case "text":
            return ":";
    }
};

const valueCases = (shapes: readonly CommandShape[], act: (value: Value) => string): string =>
    shapes
        .flatMap(({ path, options }) =>
            options.flatMap(({ flags, value }) => (value ? flags.map((flag) => `        "${path}|${flag}") ${act(value)} ;;`) : [])),
        )
        .join("\n");

const zsh = (shapes: readonly CommandShape[]): string => `#compdef zeroform
# zsh completion of zeroform
_zeroform() {
    local at="" skip="" word i
    local -a names flags
    for ((i = 2; i < CURRENT; i++)); do
        word=$words[i]
        if [[ -n $skip ]]; then
            skip=""
            continue
        fi
        case "$at|$word" in
${walk(shapes, (path) => `at="${path}"`, "skip=1")}
        esac
    done
    if [[ -n $skip ]]; then
        case "$at|$words[CURRENT-1]" in
${valueCases(shapes, zshValue)}
        esac
        return
    fi
    case "$at" in
${shapes
    .map(({ path, commands, options, argument }) => {
        const flags = options.flatMap((option) => option.flags.map((flag) => quoted(`${flag}:${option.summary}`)));
        const names = commands.map(({ name, summary }) => quoted(`${name}:${summary}`));
        const others = argument ? zshValue(argument) : `names=(${names.join(" ")}); _describe command names`;
        return `        "${path}") if [[ $words[CURRENT] == -* ]]; then flags=(${flags.join(" ")}); _describe option flags; else ${others}; fi ;;`;
    })
    .join("\n")}
    esac
}
if [[ $funcstack[1] == _zeroform ]]; then _zeroform "$@"; else compdef _zeroform zeroform; fi
`;

const zshValue = (value: Value): string => {
    switch (value.kind) {
        case "choice":
            return `compadd -- ${value.choices.join(" ")}`;
        case "host":
            return `compadd -- \${(f)"$(${HOSTS})"}`;
        case "file":
            return "_files";
        case "text":
            return ":";
    }
};

const fish = (shapes: readonly CommandShape[]): string => `# fish completion of zeroform
function __zeroform_at
    set -l at ""
    set -l skip ""
    set -l said (commandline -opc)
    for word in $said[2..-1]
        if test -n "$skip"
            set skip ""
            continue
        end
        switch "$at|$word"
${shapes
    .flatMap(({ path, commands, options }) => [
        ...commands.map(({ name }) => `            case "${path}|${name}"\n                set at "${`${path} ${name}`.trim()}"`),
        ...flagsWithValue(options).map((flag) => `            case "${path}|${flag}"\n                set skip 1`),
    ])
    .join("\n")}
        end
    end
    test "$at" = "$argv[1]"
end
complete -c zeroform -f
${shapes
    .flatMap(({ path, commands, options, argument }) => {
        const here = `complete -c zeroform -n ${quoted(`__zeroform_at "${path}"`)}`;
        return [
            ...commands.map(({ name, summary }) => `${here} -a ${name} -d ${fishQuoted(summary)}`),
            ...options.map(
                ({ flags, summary, value }) =>
                    `${here} ${flags.map(fishFlag).join(" ")}${value ? fishValue(value) : ""} -d ${fishQuoted(summary)}`,
            ),
            ...(argument?.kind === "choice" ? [`${here} -a ${quoted(argument.choices.join(" "))}`] : []),
            ...(argument?.kind === "host" ? [`${here} -a ${fishQuoted(`(${HOSTS})`)}`] : []),
        ];
    })
    .join("\n")}
`;

const fishFlag = (flag: string): string => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`);

const fishValue = (value: Value): string => {
    switch (value.kind) {
        case "choice":
            return ` -r -a ${quoted(value.choices.join(" "))}`;
        case "host":
            return ` -r -a ${fishQuoted(`(${HOSTS})`)}`;
        case "file":
            return " -r -F";
        case "text":
            return " -r";
    }
};

/** For bash and zsh. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
/** fish knows a backslash inside single quotes. */
const fishQuoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

const SCRIPTS: Readonly<Record<Shell, (shapes: readonly CommandShape[]) => string>> = { bash, zsh, fish };
