import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { gzipSync } from "node:zlib";
import { ZeroformError } from "../../protocol/errors.ts";
import { AGENT_UNIT, AGENTS, CURRENT, LOCK_FILE, ROOT, RUNTIMES } from "../../protocol/layout.ts";
import type { Connection, Ended } from "./connection.ts";
import { agentDirectory, type ProbeReport, VERSION_COMMENT } from "./probe.ts";
import type { Release } from "./release.ts";
import { unmetRequirement } from "./requirements.ts";
import { rootCommand, type Script } from "./root-command.ts";
import type { Work } from "./shared-work.ts";

/** A file as it is to lie on the node. */
interface Upload {
    /** What the user is told is uploaded. */
    readonly what: string;
    readonly path: string;
    readonly sha256: string;
    readonly mode: "0644" | "0755";
    readonly bytes: number;
    /** Its gzip stream and the length of that. */
    readonly compressed: () => Promise<{ readonly stream: Readable; readonly bytes: number }>;
}

const LOCK_WAIT_S = 600;
/** The longest that a lost connection can keep the lock. */
const LOCK_HOLD_S = 900;
const LOCK_TIMEOUT_STATUS = 75;
const UPLOAD_MS = 15 * 60_000;
const INSTALL_MS = 120_000;
const MIB = 1024 * 1024;
/** A terminal shows no more, and the engine has many resources to listen to. */
const SAY_EVERY_MS = 200;
/** The agent's store, units and logs need some room as well. */
const FREE_MARGIN_BYTES = 32 * MIB;

/** Puts this package's agent on a machine and starts it; what is there already is used. One at a time a machine. */
export const bootstrap = async (connection: Connection, report: ProbeReport, release: Release, work: Work): Promise<void> => {
    const node = connection.target.alias;
    const unmet = unmetRequirement(report, node);
    if (unmet) throw unmet;
    const uploads = await filesFor(release, report, node);
    const lock = await takeLock(connection, uploads, work);
    try {
        const missing = uploads.filter(({ path }) => !lock.present.includes(path));
        const isDoneByAnother = lock.waited && missing.length === 0 && agentDirectory(lock.current) === agentDirectoryOf(uploads);
        if (isDoneByAnother) return;
        refuseWithoutRoom(missing, report, node);
        for (const upload of missing) await send(connection, upload, work);
        await install(connection, `${agentDirectoryOf(uploads)}/zeroform-agent`, work);
    } finally {
        await lock.release();
    }
};

const filesFor = async (release: Release, report: ProbeReport, node: string): Promise<Upload[]> => {
    const [runtime, agent] = [await release.runtime(report, node), await release.agent()];
    const runtimePath = `${RUNTIMES}/${runtime.sha256}/bun`;
    const agentPath = `${agentDirectory(agent.sha256)}/agent.js`;
    const launcher = Buffer.from(`#!/bin/sh\n${VERSION_COMMENT}${release.version}\nexec ${runtimePath} ${agentPath} "$@"\n`);
    const fromFile = (artifact: typeof runtime) => async () => {
        const { path, bytes } = await release.compressed(artifact);
        return { stream: createReadStream(path), bytes };
    };
    const small = gzipSync(launcher);
    return [
        { ...runtime, what: "runtime", path: runtimePath, mode: "0755", compressed: fromFile(runtime) },
        { ...agent, what: "agent", path: agentPath, mode: "0644", compressed: fromFile(agent) },
        // Last: where it lies, the others do.
        {
            what: "launcher",
            path: `${agentDirectory(agent.sha256)}/zeroform-agent`,
            sha256: createHash("sha256").update(launcher).digest("hex"),
            mode: "0755",
            bytes: launcher.length,
            compressed: async () => ({ stream: Readable.from([small]), bytes: small.length }),
        },
    ];
};

const agentDirectoryOf = (uploads: readonly Upload[]): string => (uploads.at(-1)?.path ?? "").replace(/\/zeroform-agent$/, "");

const refuseWithoutRoom = (missing: readonly Upload[], { freeBytes }: ProbeReport, node: string) => {
    const needed = missing.reduce((sum, { bytes }) => sum + bytes, FREE_MARGIN_BYTES);
    if (missing.length === 0 || freeBytes === undefined || freeBytes >= needed) return;
    throw diskFull(node, `has ${Math.floor(freeBytes / MIB)} MiB free for ${ROOT}, and the agent needs ${Math.ceil(needed / MIB)} MiB`);
};

const diskFull = (node: string, how: string) =>
    new ZeroformError({
        code: "DISK_FULL",
        action: "bootstrap",
        node,
        message: `${node} ${how}`,
        hint: `Free some space in ${ROOT} on it.`,
    });

interface Lock {
    readonly waited: boolean;
    /** Paths of uploads that are there with the right content. */
    readonly present: readonly string[];
    /** Content hash of the agent in use, or empty. */
    readonly current: string;
    release(): Promise<void>;
}

/** Arguments: path and hash of every file, in turn. Holds the lock until its input ends. Leftovers of cut uploads go, as nobody else uploads now. */
const LOCK: Script = `
    exec 9>${LOCK_FILE} || exit 1;
    flock -n 9 || { echo waiting; flock -w ${LOCK_WAIT_S} 9 || exit ${LOCK_TIMEOUT_STATUS}; };
    rm -f ${RUNTIMES}/*/.upload.* ${AGENTS}/*/.upload.*;
    while [ $# -gt 1 ]; do
        s=$(sha256sum "$1" 2>/dev/null);
        if [ "\${s%% *}" = "$2" ] && [ -s "$1" ]; then echo "present $1"; fi;
        shift 2;
    done;
    echo "current $(basename "$(readlink -f ${CURRENT})")";
    echo zeroform-locked;
    exec timeout ${LOCK_HOLD_S} cat >/dev/null`;

const takeLock = async (connection: Connection, uploads: readonly Upload[], work: Work): Promise<Lock> => {
    const node = connection.target.alias;
    const locked = Promise.withResolvers<void>();
    const said: string[] = [];
    const input = new Transform();
    work.progress(`preparing ${node}`);
    const held = connection.run(
        rootCommand(
            connection.target,
            LOCK,
            uploads.flatMap(({ path, sha256 }) => [path, sha256]),
        ),
        {
            signal: work.signal,
            timeoutMs: (LOCK_WAIT_S + LOCK_HOLD_S) * 1000,
            doing: "preparing the machine",
            input,
            onStdoutLine: (line) => {
                said.push(line);
                if (line === "waiting") work.progress(`waiting for another bootstrap of ${node}`);
                if (line === "zeroform-locked") locked.resolve();
            },
        },
    );
    held.then(({ code, stderr }) => locked.reject(lockFailure(node, code, stderr)), locked.reject);
    await locked.promise;
    const values = (key: string) => said.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length + 1));
    return {
        waited: said.includes("waiting"),
        present: values("present"),
        current: values("current")[0] ?? "",
        release: async () => {
            input.end();
            // The connection may be gone by now, and the lock with it.
            await held.catch(() => undefined);
        },
    };
};

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
        : failed(node, "preparing the machine", { code, stdout: "", stderr });

const DAMAGED_STATUS = 65;

/** Arguments: path, hash, mode. The content comes compressed; nothing lies under the name before it is whole, right and on the disk. */
const RECEIVE: Script = `
    set -e;
    d=$(dirname "$1"); mkdir -p "$d";
    t=$(mktemp "$d/.upload.XXXXXX"); trap "rm -f $t" EXIT;
    gunzip -c >"$t";
    s=$(sha256sum "$t"); [ "\${s%% *}" = "$2" ] || exit ${DAMAGED_STATUS};
    chmod "$3" "$t"; sync "$t"; mv -f "$t" "$1"; sync "$d" "$(dirname "$d")"`;

const send = async (
    connection: Connection,
    { what, path, sha256, mode, bytes: plainBytes, compressed }: Upload,
    work: Work,
): Promise<void> => {
    if (plainBytes > MIB) work.progress(`packing the ${what}`);
    const { stream, bytes } = await compressed();
    const node = connection.target.alias;
    let sent = 0;
    let said = 0;
    const counted = new Transform({
        transform(chunk: Buffer, _encoding, done) {
            sent += chunk.length;
            if (bytes > MIB && performance.now() - said >= SAY_EVERY_MS) {
                said = performance.now();
                work.progress(`uploading ${what} ${Math.floor(sent / MIB)} of ${Math.ceil(bytes / MIB)} MiB`);
            }
            done(null, chunk);
        },
    });
    stream.on("error", (error) => counted.destroy(error));
    stream.pipe(counted);
    try {
        const ended = await connection.run(rootCommand(connection.target, RECEIVE, [path, sha256, mode]), {
            signal: work.signal,
            timeoutMs: UPLOAD_MS,
            doing: `uploading the ${what}`,
            input: counted,
        });
        if (ended.code === 0) return;
        if (ended.code === DAMAGED_STATUS)
            throw new ZeroformError({
                code: "AGENT_BROKEN",
                action: "bootstrap",
                node,
                message: `the ${what} arrived damaged on ${node}`,
                hint: "Run pulumi up again; if it stays so, check the disk and the memory of the machine.",
                retryable: true,
            });
        throw failed(node, `uploading the ${what}`, ended);
    } finally {
        stream.destroy();
    }
};

const INSTALL: Script = 'exec "$1" install';

const install = async (connection: Connection, launcher: string, work: Work): Promise<void> => {
    const node = connection.target.alias;
    work.progress(`installing the agent on ${node}`);
    const ended = await connection.run(rootCommand(connection.target, INSTALL, [launcher]), {
        signal: work.signal,
        timeoutMs: INSTALL_MS,
        doing: "installing the agent",
        onStderrLine: (line) => {
            if (line.trim() !== "") work.progress(line.trim());
        },
    });
    if (ended.code !== 0) throw failed(node, "installing the agent", ended);
};

/** A step of bootstrap that ended badly, in the node's own last words. */
const failed = (node: string, doing: string, { code, stderr }: Ended): ZeroformError => {
    const lines = stderr.split(/\r?\n/).filter((line) => line.trim() !== "");
    const full = lines.find((line) => /no space left|quota exceeded/i.test(line));
    if (full !== undefined) return diskFull(node, `ran out of disk space while ${doing}`);
    return new ZeroformError({
        code: "AGENT_BROKEN",
        action: "bootstrap",
        node,
        message: `${doing} on ${node} failed: ${lines.at(-1) ?? `status ${code ?? "unknown"}`}`,
        hint: `Look at: journalctl -u ${AGENT_UNIT} there; running pulumi up again goes on where it ended.`,
    });
};
