import type { Target } from "./target.ts";

/** A shell script for the node, and how it is told apart from what a login shell prints before it. */
export type Script = string;

/** What these end with when the user cannot become root at all. */
export const NO_SUDO_STATUS = 77;

const ROOT_ONLY = `if [ "$(id -u)" = 0 ]; then exec sh -c "$@"; fi; exit ${NO_SUDO_STATUS}`;
const BY_SUDO =
    'if [ "$(id -u)" = 0 ]; then exec sh -c "$@"; fi; ' +
    `if command -v sudo >/dev/null 2>&1; then exec sudo -n sh -c "$@"; fi; exit ${NO_SUDO_STATUS}`;

/** Sbin is not on everybody's PATH; messages are matched in English. */
const SURROUNDINGS = "PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin; LC_ALL=C; export PATH LC_ALL; umask 022; ";

/**
 * The command that runs a script as root with arguments. The user's login shell reads it, which may be fish or csh: so everything is in
 * single quotes and free of what one of them changes inside those (single quote, backslash, exclamation mark, line break).
 */
export const rootCommand = (target: Pick<Target, "sudo">, script: Script, args: readonly string[]): string =>
    ["sh", "-c", target.sudo ? BY_SUDO : ROOT_ONLY, "zeroform", SURROUNDINGS + oneLine(script), "zeroform", ...args]
        .map((word, index) => (index < 2 ? word : quoted(word)))
        .join(" ");

/** Lines of a script end with what separates them, so that they can be joined. */
const oneLine = (script: Script): string => script.trim().replace(/\s*\n\s*/g, " ");

const quoted = (word: string): string => {
    if (/['\\!\n]/.test(word)) throw new Error("a word of a remote command has a character that login shells disagree about");
    return `'${word}'`;
};
