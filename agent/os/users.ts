import { readFile } from "node:fs/promises";
import { ZeroformError } from "../../protocol/errors.ts";
import { inTurn } from "./in-turn.ts";
import { ProgramFailure, type Ran, run } from "./program.ts";

/** Why a user is there, kept where every tool shows it: only a user with these words is ever removed. */
const COMMENT = "zeroform engine";
const NOBODYS_HOME = "/nonexistent";
const NO_SHELL = "/usr/sbin/nologin";
const NO_SUCH_KEY = 2;
const NO_SUCH_USER = 6;
const PASSWD = "/etc/passwd";

/** Makes a system user, and a group of the same name, that nobody can log in as. */
export const ensureUser = (name: string): Promise<void> =>
    inTurn("users", async () => {
        if (await isKnown(name)) return;
        try {
            await make(name);
        } catch (failure) {
            if (!(failure instanceof ProgramFailure)) throw failure;
            throw new ZeroformError(
                {
                    code: "FAILED",
                    message: `the system user ${name} could not be made: ${failure.words}`,
                    hint: `Make a system user and a group of that name on the node: useradd --system --user-group ${name}`,
                    retryable: true,
                },
                failure,
            );
        }
    });

/** Takes away the users that were made here. Answers the names of those that could not be. */
export const removeUsers = async (): Promise<readonly string[]> => {
    const left: string[] = [];
    for (const line of (await readFile(PASSWD, "utf8")).split("\n")) {
        const [name = "", , , , comment] = line.split(":");
        if (comment !== COMMENT || !name.startsWith("zeroform-")) continue;
        try {
            await run("userdel", [name], { accept: [0, NO_SUCH_USER] });
        } catch (failure) {
            if (!(failure instanceof ProgramFailure)) throw failure;
            left.push(name);
        }
    }
    return left;
};

/** The file is asked first: it costs nothing, and getent starts a process. A user may come from elsewhere too. */
const isKnown = async (name: string): Promise<boolean> => {
    if ((await readFile(PASSWD, "utf8")).split("\n").some((line) => line.startsWith(`${name}:`))) return true;
    try {
        return (await run("getent", ["passwd", name], { accept: [0, NO_SUCH_KEY] })).status === 0;
    } catch (failure) {
        if (!(failure instanceof ProgramFailure)) throw failure;
        return false;
    }
};

/** With the tool of systemd where it is; a minimal system may have only that of shadow. */
const make = async (name: string): Promise<Ran> => {
    try {
        return await run("systemd-sysusers", ["--inline", `u ${name} - "${COMMENT}" ${NOBODYS_HOME} ${NO_SHELL}`]);
    } catch (failure) {
        if (!(failure instanceof ProgramFailure)) throw failure;
        const options = ["--system", "--user-group", "--no-create-home", "--home-dir", NOBODYS_HOME, "--shell", NO_SHELL];
        return run("useradd", [...options, "--comment", COMMENT, name]);
    }
};
