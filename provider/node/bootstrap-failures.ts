import { ZeroformError } from "../../protocol/errors.ts";
import { AGENT_UNIT, ROOT } from "../../protocol/layout.ts";
import type { Ended } from "./connection.ts";

/** A step of bootstrap that ended badly, in the node's own last words. */
export const failedStep = (node: string, doing: string, { code, stderr }: Ended): ZeroformError => {
    // By a signal: a machine that shuts down in order ends commands before connections.
    if (code === undefined || code > 128)
        return new ZeroformError({
            code: "SSH_LOST",
            action: "bootstrap",
            node,
            message: `${node} broke off ${doing}, as a machine does that shuts down`,
            hint: "If it does not, look at its memory: journalctl -k there.",
            retryable: true,
        });
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

export const diskFull = (node: string, how: string): ZeroformError =>
    new ZeroformError({
        code: "DISK_FULL",
        action: "bootstrap",
        node,
        message: `${node} ${how}`,
        hint: `Free some space in ${ROOT} on it.`,
    });
