import { Argument, type Command } from "commander";
import { shapesOf } from "./command-tree.ts";
import { completionScript, SHELLS, type Shell } from "./completion-scripts.ts";
import { explain } from "./help.ts";

/** `zeroform completion`: a script that makes a shell complete the command line. */
export const register = (program: Command): void => {
    const command = program
        .command("completion")
        .addArgument(new Argument("<shell>", "the shell to print the script for").choices(SHELLS))
        .description("print a script that makes a shell complete commands, options and hosts of ~/.ssh/config")
        .action((shell: Shell) => {
            process.stdout.write(completionScript(shell, shapesOf(program)));
        });
    explain(command, {
        examples: [
            ["zeroform completion bash > /etc/bash_completion.d/zeroform", "for all users; or: source <(zeroform completion bash)"],
            ["zeroform completion zsh > ~/.zfunc/_zeroform", "in a folder of $fpath"],
            ["zeroform completion fish > ~/.config/fish/completions/zeroform.fish", "for fish"],
        ],
    });
};
