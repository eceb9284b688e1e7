import { PassThrough } from "node:stream";
import { ZeroformError } from "../../protocol/errors.ts";
import { AGENTS, CURRENT, LOCK_FILE, RUNTIMES } from "../../protocol/layout.ts";
import { failedStep } from "./bootstrap-failures.ts";
import type { Connection } from "./connection.ts";
import { rootCommand, type Script } from "./root-command.ts";
import type { Work } from "./shared-work.ts";

/** The right to change the agent of a machine: one process at a time has it. */
export interface MachineLock {
    /** Somebody else had it before. */
    readonly waited: boolean;
    /** Paths of files that are there with the right content. */
    readonly present: readonly string[];
    /** What lies there packed of files that were begun: room that is not needed again. */
    readonly begunBytes: number;
    /** Content hash of the agent in use, or empty. */
    readonly current: string;
    /** Throws when the machine has taken it back, since nothing was heard of this process for too long. */
    assertHeld(): void;
    release(): Promise<void>;
}

const LOCK_WAIT_S = 600;
/** The longest that a lost connection can keep the lock: it is told apart from a slow one by a byte every now and then. */
const SIGN_OF_LIFE_S = 120;
const SIGN_EVERY_MS = 20_000;
const LOCK_TIMEOUT_STATUS = 75;

/** Arguments: path and hash of every file, in turn. Holds the lock until its input ends or says nothing. What was cut off while it was unpacked goes. */
const LOCK: Script = `
    exec 9>${LOCK_FILE} || exit 1;
    flock -n 9 || { echo waiting; flock -w ${LOCK_WAIT_S} 9 || exit ${LOCK_TIMEOUT_STATUS}; };
    rm -f ${RUNTIMES}/*/.upload* ${AGENTS}/*/.upload*;
    while [ $# -gt 1 ]; do
        s=$(sha256sum "$1" 2>/dev/null);
        if [ "\${s%% *}" = "$2" ] && [ -s "$1" ]; then echo "present $1"; fi;
        for f in "$(dirname "$1")"/.part.*; do if [ -f "$f" ]; then echo "begun $(stat -c %s "$f") $f"; fi; done;
        shift 2;
    done;
    echo "current $(basename "$(readlink -f ${CURRENT})")";
    echo zeroform-locked;
    while [ -n "$(timeout ${SIGN_OF_LIFE_S} head -c 1)" ]; do echo held; done`;

/** Waits for the lock. */
export const lockMachine = async (
    connection: Connection,
    files: readonly { readonly path: string; readonly sha256: string }[],
    work: Work,
): Promise<MachineLock> => {
    const node = connection.target.alias;
    const locked = Promise.withResolvers<void>();
    const said: string[] = [];
    const input = new PassThrough();
    const given = files.flatMap(({ path, sha256 }) => [path, sha256]);
    work.progress(`preparing ${node}`);
    const held = connection.run(rootCommand(connection.target, LOCK, given), {
        signal: work.signal,
        timeoutMs: (LOCK_WAIT_S + SIGN_OF_LIFE_S) * 1000,
        doing: "preparing the machine",
        input,
        onStdoutLine: (line) => {
            if (line === "held") return;
            said.push(line);
            if (line === "waiting") work.progress(`waiting for another bootstrap of ${node}`);
            if (line === "zeroform-locked") locked.resolve();
        },
    });
    const signs = setInterval(() => input.write("."), SIGN_EVERY_MS);
    let isOver = false;
    const over = () => {
        isOver = true;
        clearInterval(signs);
    };
    held.then(over, over);
    held.then(({ code, stderr }) => locked.reject(lockFailure(node, code, stderr)), locked.reject);
    await locked.promise;
    const values = (key: string) => said.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length + 1));
    return {
        waited: said.includes("waiting"),
        present: values("present"),
        // Two files of one directory name it twice.
        begunBytes: [...new Set(values("begun"))].reduce((sum, line) => sum + Number.parseInt(line, 10), 0),
        current: values("current")[0] ?? "",
        assertHeld: () => {
            if (isOver) throw taken(node);
        },
        release: async () => {
            input.end();
            // The connection may be gone by now, and the lock with it.
            await held.catch(() => undefined);
        },
    };
};

const taken = (node: string) =>
    new ZeroformError({
        code: "BUSY",
        action: "bootstrap",
        node,
        message: `${node} heard nothing of this bootstrap for ${SIGN_OF_LIFE_S} s and let another one begin`,
        retryable: true,
    });

const lockFailure = (node: string, code: number | undefined, stderr: string): ZeroformError =>
    code === LOCK_TIMEOUT_STATUS
        ? new ZeroformError({
              code: "BUSY",
              action: "bootstrap",
              node,
              message: `another bootstrap of ${node} has not ended within ${LOCK_WAIT_S} s`,
              hint: `Run pulumi up again; who holds it is shown on the machine by: fuser -v ${LOCK_FILE}`,
              retryable: true,
          })
        : failedStep(node, "preparing the machine", { code, stdout: "", stderr });
