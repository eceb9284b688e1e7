import { PassThrough } from "node:stream";
import { ZeroformError } from "../../protocol/errors.ts";
import { failedStep } from "./bootstrap-failures.ts";
import { ChunkSize } from "./chunk-size.ts";
import type { Connection, Ended } from "./connection.ts";
import { rootCommand, type Script } from "./root-command.ts";
import type { Work } from "./shared-work.ts";

/** A gzip file, wherever it is. */
export interface Packed {
    readonly bytes: number;
    read(at: number, length: number): Promise<Buffer>;
    close(): Promise<void>;
}

/** A file as it is to lie on the node. */
export interface Upload {
    /** What the user is told is uploaded. */
    readonly what: string;
    readonly path: string;
    readonly sha256: string;
    readonly mode: "0644" | "0755";
    readonly bytes: number;
    readonly packed: () => Promise<Packed>;
    /** The packed file is not what it should be: the next one is made afresh. */
    readonly forget: () => Promise<void>;
}

const MIB = 1024 * 1024;
/** A terminal shows no more, and the engine has many resources to listen to. */
const SAY_EVERY_MS = 200;
/** Far above what a link takes for a chunk, or a slow disk to unpack and sync a runtime. */
const SILENT_MS = 120_000;
const DAMAGED_STATUS = 65;

/**
 * Arguments: path, hash, mode, length of the gzip file. That file grows chunk by chunk, each announced by a line with its length and answered
 * by the length reached, so that a cut upload goes on where it ended. Nothing lies under the name before it is whole, right and on the disk.
 */
const RECEIVE: Script = `
    set -e;
    d=$(dirname "$1"); mkdir -p "$d";
    t="$d/.part.$4"; p="$d/.upload";
    for o in "$d"/.part.*; do [ "$o" = "$t" ] || rm -f "$o"; done;
    touch "$t";
    s=$(stat -c %s "$t"); if [ "$s" -gt "$4" ]; then : >"$t"; s=0; fi;
    echo "at $s";
    while read -r n && [ "$n" -gt 0 ]; do
        head -c "$n" >>"$t" || { s=$?; [ "$s" -gt 128 ] || rm -f "$t"; exit "$s"; };
        echo "at $(stat -c %s "$t")";
    done;
    [ "$n" = 0 ] || exit 1;
    trap "rm -f $p" EXIT;
    gunzip -c <"$t" >"$p" || { rm -f "$t"; exit ${DAMAGED_STATUS}; };
    s=$(sha256sum "$p"); [ "\${s%% *}" = "$2" ] || { rm -f "$t"; exit ${DAMAGED_STATUS}; };
    chmod "$3" "$p"; sync "$p"; mv -f "$p" "$1"; rm -f "$t"; sync "$d" "$(dirname "$d")"`;

/**
 * Puts a file on the node. Cut off, it goes on where it ended when it is called again, by whomever. What arrives damaged is packed and sent
 * once more from the start, since the copy kept here may be damaged too; and no oftener, since no deadline ends what moves.
 */
export const upload = async (connection: Connection, file: Upload, work: Work): Promise<void> => {
    if (await sentWhole(connection, file, work)) return;
    await file.forget();
    if (!(await sentWhole(connection, file, work))) throw damaged(connection.target.alias, file.what);
};

/** False when it arrived, and was something else. */
const sentWhole = async (connection: Connection, { what, path, sha256, mode, bytes, packed }: Upload, work: Work): Promise<boolean> => {
    if (bytes > MIB) work.progress(`packing the ${what}`);
    const node = connection.target.alias;
    const file = await packed();
    const conveyor = new Conveyor(file, (arrived, bytesPerSecond) => {
        work.moved();
        if (file.bytes > MIB) work.progress(`uploading ${what} ${howFar(arrived, file.bytes, bytesPerSecond)}`);
    });
    let ended: Ended;
    try {
        ended = await connection.run(rootCommand(connection.target, RECEIVE, [path, sha256, mode, `${file.bytes}`]), {
            signal: work.signal,
            timeoutMs: SILENT_MS,
            doing: `uploading the ${what}`,
            input: conveyor.output,
            onStdoutLine: (line) => {
                const length = /^at (\d+)$/.exec(line.trim())?.[1];
                if (length !== undefined) conveyor.arrived(Number(length));
            },
        });
    } finally {
        conveyor.end();
        await conveyor.stopped;
        await file.close();
    }
    if (conveyor.failure) throw conveyor.failure;
    if (ended.code === DAMAGED_STATUS && !/no space left|quota exceeded/i.test(ended.stderr)) return false;
    if (ended.code !== 0) throw failedStep(node, `uploading the ${what}`, ended);
    return true;
};

/** Sends a file chunk by chunk, never far ahead of what has arrived: so a waiting call on the same connection waits for little. */
class Conveyor {
    readonly output = new PassThrough();
    /** Resolves when nothing is read from the file any more. */
    readonly stopped: Promise<void>;
    /** Why the file could not be read to its end. */
    failure: Error | undefined;
    readonly #file: Packed;
    readonly #onArrived: (bytes: number, bytesPerSecond: number) => void;
    readonly #size = new ChunkSize();
    #arrived: number | undefined;
    #from = { bytes: 0, at: 0 };
    #lastAt = 0;
    #saidAt = 0;
    #isEnded = false;
    #wake = Promise.withResolvers<void>();

    constructor(file: Packed, onArrived: (bytes: number, bytesPerSecond: number) => void) {
        this.#file = file;
        this.#onArrived = onArrived;
        this.stopped = this.#send().catch((thrown: unknown) => {
            this.failure = thrown instanceof Error ? thrown : new Error(String(thrown));
            this.output.destroy(this.failure);
        });
    }

    /** The other end has so much of it. */
    arrived(bytes: number): void {
        const now = performance.now();
        if (this.#arrived === undefined) this.#from = { bytes, at: now };
        else this.#size.arrived(bytes - this.#arrived, now - this.#lastAt);
        this.#arrived = bytes;
        this.#lastAt = now;
        if (now - this.#saidAt >= SAY_EVERY_MS || bytes === this.#file.bytes) {
            this.#saidAt = now;
            const seconds = (now - this.#from.at) / 1000;
            this.#onArrived(bytes, seconds > 0 ? (bytes - this.#from.bytes) / seconds : 0);
        }
        this.#awake();
    }

    end(): void {
        this.#isEnded = true;
        this.#awake();
    }

    async #send(): Promise<void> {
        while (this.#arrived === undefined && !this.#isEnded) await this.#wake.promise;
        let sent = this.#arrived ?? 0;
        while (sent < this.#file.bytes && !this.#isEnded) {
            if (sent - (this.#arrived ?? 0) > this.#size.bytes) {
                await this.#wake.promise;
                continue;
            }
            const chunk = await this.#file.read(sent, Math.min(this.#size.bytes, this.#file.bytes - sent));
            if (chunk.length === 0) throw new Error("the packed file has become shorter");
            this.output.write(`${chunk.length}\n`);
            this.output.write(chunk);
            sent += chunk.length;
        }
        this.output.end("0\n");
    }

    #awake(): void {
        this.#wake.resolve();
        this.#wake = Promise.withResolvers();
    }
}

const howFar = (arrived: number, bytes: number, bytesPerSecond: number): string => {
    const all = `${Math.floor(arrived / MIB)} of ${Math.ceil(bytes / MIB)} MiB`;
    const left = bytesPerSecond > 0 ? (bytes - arrived) / bytesPerSecond : 0;
    return left < 5 ? all : `${all} (${duration(left)} left)`;
};

const duration = (seconds: number): string => (seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`);

const damaged = (node: string, what: string) =>
    new ZeroformError({
        code: "AGENT_BROKEN",
        action: "bootstrap",
        node,
        message: `the ${what} arrived damaged on ${node}, twice`,
        hint: "Run pulumi up again; if it stays so, check the disk and the memory of that machine and of this one.",
    });
