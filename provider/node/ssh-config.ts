import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import SshConfig, { glob } from "ssh-config";
import { ZeroformError } from "../../protocol/errors.ts";

/** What ssh's configuration says of one host, parameters in lower case; the first value found wins, as in ssh. */
export type HostSettings = Readonly<Record<string, string | readonly string[]>>;

export interface ConfigFile {
    readonly path: string;
    /** Where relative Includes of this file start. */
    readonly includesFrom: string;
}

/** ssh's own limit. */
const INCLUDE_DEPTH_MAX = 16;

export const readHostSettings = (files: readonly ConfigFile[], host: string, user: string | undefined, home: string): HostSettings => {
    const reader = { host, user, home };
    const text = files.map((file) => expanded(file, reader, 0)).join("\nHost *\n");
    return compute(text, reader, files[0]?.path ?? "ssh_config");
};

interface Reader {
    readonly host: string;
    readonly user: string | undefined;
    readonly home: string;
}

const compute = (text: string, { host, user }: Reader, path: string): HostSettings => {
    try {
        const config = SshConfig.parse(text);
        return user === undefined
            ? config.compute(host, { ignoreCase: true })
            : config.compute({ Host: host, User: user }, { ignoreCase: true });
    } catch (thrown) {
        throw new ZeroformError(
            {
                code: "SSH_CONFIG",
                message: `${path} cannot be read as an SSH configuration`,
                hint: "Run ssh -G to see what ssh makes of it.",
            },
            thrown,
        );
    }
};

/** A file of ssh's settings; undefined when it is not there. One that cannot be read may say that somebody is not to be trusted. */
export const textOfSettings = (path: string): string | undefined => {
    try {
        return readFileSync(path, "utf8");
    } catch (thrown) {
        const code = (thrown as NodeJS.ErrnoException).code;
        if (code === "ENOENT" || code === "ENOTDIR") return undefined;
        throw new ZeroformError(
            {
                code: "SSH_CONFIG",
                message: `${path}, which SSH goes by, cannot be read (${code})`,
                hint: "Make it a file that you may read, or take it out of ~/.ssh/config.",
            },
            thrown,
        );
    }
};

/** A file's text with its Includes in place: ssh-config parses them and does not follow them. */
const expanded = ({ path, includesFrom }: ConfigFile, reader: Reader, depth: number): string => {
    if (depth > INCLUDE_DEPTH_MAX) throw new ZeroformError({ code: "SSH_CONFIG", message: `${path}: too many levels of Include` });
    const text = textOfSettings(path);
    if (text === undefined) return "";
    const lines: string[] = [];
    let section: string | undefined;
    for (const line of text.split(/\r?\n/)) {
        if (/^\s*(host|match)[\s=]/i.test(line)) section = line.trim();
        const include = /^\s*include[\s=]+(.*)$/i.exec(line);
        if (!include) {
            lines.push(line);
            continue;
        }
        // An Include inside a section holds only where the section does; where it does, its content needs no further condition.
        if (section !== undefined && !holds(section, reader, path)) continue;
        for (const file of included(include[1] ?? "", includesFrom, reader.home))
            lines.push("Host *", expanded({ path: file, includesFrom }, reader, depth + 1));
        lines.push(section ?? "Host *");
    }
    return lines.join("\n");
};

const holds = (section: string, reader: Reader, path: string): boolean =>
    compute(`${section}\n    ZeroformHolds yes`, reader, path).zeroformholds !== undefined;

const included = (patterns: string, includesFrom: string, home: string): string[] =>
    [...patterns.matchAll(/"([^"]+)"|(\S+)/g)].flatMap(([, quoted, bare]) => {
        const written = (quoted ?? bare ?? "").replace(/^~(?=\/)/, home);
        const path = isAbsolute(written) ? written : join(includesFrom, written);
        if (!/[*?]/.test(path)) return [path];
        const directory = dirname(path);
        if (!existsSync(directory)) return [];
        const names = readdirSync(directory).filter((name) => glob(basename(path), name));
        return names.sort().map((name) => join(directory, name));
    });
