import { ZeroformError } from "../../protocol/errors.ts";

/** Primary result codes of SQLite that mean something of their own here. */
const SQLITE_ERROR = 1;
const SQLITE_PERM = 3;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/** What the system says where it lets nobody write. */
const UNWRITABLE: readonly string[] = ["EACCES", "EPERM", "EROFS"];

/** The file cannot be trusted: what it says, or why it says nothing. */
export class CorruptStore extends Error {
    override readonly name = "CorruptStore";
}

/** What a user is told of a store that cannot be trusted. */
export const untrusted = (reason: string, cause?: unknown): ZeroformError =>
    new ZeroformError(
        {
            code: "STORE_CORRUPT",
            message: `the agent does nothing because it cannot trust its desired state: ${reason}`,
            hint: "Nothing was changed. Put back a sound copy of that file and restart zeroform-agent; mounts and stores go on meanwhile.",
        },
        cause,
    );

/** A failure to open the file: CorruptStore when it is the file's, so that the agent says so instead of ending. All of its SQL is known to be good. */
export const asOpening = (failure: unknown): unknown => {
    if (failure instanceof CorruptStore) return failure;
    // A number or a name that SQLite finds and JavaScript cannot hold was not written by us.
    const isFiles = [SQLITE_ERROR, SQLITE_CORRUPT, SQLITE_NOTADB].includes(codeOf(failure)) || failure instanceof RangeError;
    return isFiles ? new CorruptStore(wordsOf(failure), { cause: failure }) : readable(failure);
};

/** A write that failed because of the disk, in words for the user; all else stays what it is. */
export const readable = (failure: unknown): unknown => {
    const code = codeOf(failure);
    const system = failure instanceof Error && "code" in failure ? String(failure.code) : "";
    if ([SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN].includes(code) || UNWRITABLE.includes(system))
        return new ZeroformError(
            {
                code: "STORE_CORRUPT",
                message: `the agent cannot write its desired state: /var/lib/zeroform or a file in it is read-only (${wordsOf(failure)})`,
                hint: "Make it writable again (`findmnt -T`, `lsattr`); nothing was changed, and the agent goes on by itself.",
            },
            failure,
        );
    if (code === SQLITE_FULL || system === "ENOSPC" || system === "EDQUOT")
        return new ZeroformError(
            {
                code: "DISK_FULL",
                message: "the agent could not write its desired state: the node's disk is full",
                hint: "Make room under /var/lib/zeroform and try again.",
            },
            failure,
        );
    if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB || code === SQLITE_IOERR)
        return new ZeroformError(
            {
                code: "STORE_CORRUPT",
                message: `the agent could not write its desired state: ${wordsOf(failure)}`,
                hint: "Look at the node's disk (`journalctl -k`), then restart zeroform-agent.",
            },
            failure,
        );
    return failure;
};

const codeOf = (failure: unknown): number =>
    failure instanceof Error && "errcode" in failure && typeof failure.errcode === "number" ? failure.errcode & 0xff : 0;

const wordsOf = (failure: unknown): string => (failure instanceof Error ? failure.message : String(failure));
