import { ZeroformError } from "../../protocol/errors.ts";
import type { KeyRing } from "./keys.ts";
import { describeTarget, type Target } from "./target.ts";

/** How far a dial had come when it failed. */
export type Stage = "connect" | "handshake" | "login";

/** A failed dial as the user is told it. What may pass by itself (refused, silent, cut) can be retried; keys, names and settings cannot. */
export const dialFailure = (thrown: unknown, stage: Stage, target: Target): ZeroformError => {
    if (thrown instanceof ZeroformError) return thrown;
    const where = describeTarget(target);
    const code = (thrown as NodeJS.ErrnoException | undefined)?.code;
    const words = thrown instanceof Error ? thrown.message : String(thrown);
    const facts = { action: "connect", node: target.alias };
    switch (code) {
        case "ECONNREFUSED":
            return new ZeroformError(
                {
                    ...facts,
                    code: "SSH_REFUSED",
                    message: `SSH on ${where} refused the connection`,
                    hint: "Check that the machine is up, that sshd runs, and that host and port are right.",
                    retryable: true,
                },
                thrown,
            );
        case "ETIMEDOUT":
            return silent(target, "did not answer", thrown);
        case "EHOSTUNREACH":
        case "ENETUNREACH":
        case "EHOSTDOWN":
        case "ENETDOWN":
            return silent(target, `cannot be reached (${code})`, thrown);
        case "EAI_AGAIN":
            return new ZeroformError(
                {
                    ...facts,
                    code: "NAME_UNKNOWN",
                    message: `no name server says where ${target.address} is`,
                    hint: "Check the network and the name servers of this computer.",
                    retryable: true,
                },
                thrown,
            );
        case "ENOTFOUND":
        case "EAI_NONAME":
        case "ENODATA":
            return new ZeroformError(
                {
                    ...facts,
                    code: "NAME_UNKNOWN",
                    message: `the name ${target.address} has no address${target.alias === target.address ? "" : ` (host ${target.alias})`}`,
                    hint: "Check the spelling of host, the name server, or the HostName in ~/.ssh/config.",
                },
                thrown,
            );
    }
    if (/no matching|Unsupported.*algorithm/i.test(words))
        return new ZeroformError(
            {
                ...facts,
                code: "SSH_CONFIG",
                message: `SSH on ${where} offers no algorithm that zeroform speaks`,
                hint: "Allow a current key exchange, cipher and host key type in its sshd_config.",
            },
            thrown,
        );
    if (stage === "handshake" && /identification|greeting|header/i.test(words))
        return new ZeroformError(
            { ...facts, code: "SSH_CONFIG", message: `what listens on ${where} is not an SSH server`, hint: "Check host and port." },
            thrown,
        );
    if (stage === "login" && /bad packet length/i.test(words))
        return new ZeroformError(
            {
                ...facts,
                code: "SSH_CONFIG",
                message: `SSH on ${where} sends more at once than the protocol allows for (RFC 4253: 35000 bytes), most likely its Banner`,
                hint: "Shorten the file that Banner in its sshd_config names.",
            },
            thrown,
        );
    const during = { connect: "while connecting", handshake: "during the handshake", login: "during the login" }[stage];
    return new ZeroformError(
        {
            ...facts,
            code: "SSH_LOST",
            message: `SSH on ${where} closed the connection ${during}`,
            hint: "The machine may be starting, or sshd may be limiting connections.",
            retryable: true,
        },
        thrown,
    );
};

/** Nothing came within the time of a stage. */
export const silent = (target: Target, how: string, cause?: unknown): ZeroformError =>
    new ZeroformError(
        {
            code: "SSH_TIMEOUT",
            action: "connect",
            node: target.alias,
            message: `SSH on ${describeTarget(target)} ${how}`,
            hint: "Check that the machine is up, that the address is right, and that no firewall is in the way.",
            retryable: true,
        },
        cause,
    );

/** RFC 4254, 5.1: the host will not, as opposed to cannot, connect to others. */
const PROHIBITED = 1;

/** A jump host opened no connection to the next host on the way. */
export const notForwarded = (thrown: Error & { readonly reason?: unknown }, hop: Target, next: Target): ZeroformError => {
    const facts = { action: "connect", node: next.alias };
    const words = thrown.message.replace(/^\(SSH\) Channel open failure: /, "").trim();
    const said = words === "" ? "" : ` (${words})`;
    if (thrown.reason === PROHIBITED)
        return new ZeroformError(
            {
                ...facts,
                code: "SSH_REFUSED",
                message: `${describeTarget(hop)} does not let ${hop.user} connect to ${next.address}:${next.port}${said}`,
                hint: "Allow it there: AllowTcpForwarding and PermitOpen in its sshd_config, and no restrict or no-port-forwarding beside the key.",
            },
            thrown,
        );
    return new ZeroformError(
        {
            ...facts,
            code: "SSH_REFUSED",
            message: `SSH on ${describeTarget(next)} cannot be reached from there${said}`,
            hint: `Check that the machine is up, that sshd runs on it, and that ${hop.alias} reaches it under this address and port.`,
            retryable: true,
        },
        thrown,
    );
};

/** No key was accepted. Keys are named by path or comment only. */
export const loginRefused = (
    target: Target,
    { candidates, passedOver }: KeyRing,
    tried: number,
    accepts: readonly string[],
): ZeroformError => {
    const names = candidates.slice(0, tried).map(({ label }) => label);
    const others = candidates.slice(tried).map(({ label }) => `${label} (not tried: the server allows no more attempts)`);
    const message = names.length === 0 ? "there is no key to log in with" : `no key was accepted (tried ${names.join(", ")})`;
    const which = target.isHop ? "that entry of via" : "the Node";
    const passed = [...others, ...passedOver];
    const only = accepts.length > 0 && !accepts.includes("publickey") ? `; the server accepts ${accepts.join(", ")} only` : "";
    return new ZeroformError({
        code: "SSH_AUTH",
        action: "connect",
        node: target.alias,
        message: `SSH login as ${target.user} on ${describeTarget(target)}: ${message}${passed.length ? `; not used: ${passed.join(", ")}` : ""}${only}`,
        hint:
            names.length === 0 && passed.length === 0
                ? `Start an SSH agent and ssh-add a key, make one with ssh-keygen, or give ${which} identityFile or privateKey.`
                : `Add a public key to ~/.ssh/authorized_keys of ${target.user} there, or give ${which} another identityFile or user.`,
    });
};

/** A connection that was up and is gone. */
export const connectionLost = (target: Target, cause?: unknown): ZeroformError =>
    new ZeroformError(
        { code: "SSH_LOST", node: target.alias, message: `the SSH connection to ${describeTarget(target)} was lost`, retryable: true },
        cause,
    );
