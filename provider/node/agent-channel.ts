import { text } from "node:stream/consumers";
import type { ClientChannel as SshChannel } from "ssh2";
import type { Welcome } from "../../protocol/api.ts";
import { type ClientChannel, openClientChannel } from "../../protocol/channel.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import type { SessionId } from "../../protocol/ids.ts";
import { RPC_MARKER } from "../../protocol/layout.ts";
import { PROTOCOLS_UNDERSTOOD } from "../../protocol/version.ts";
import { skipNoise } from "./after-noise.ts";
import type { Connection, Exit } from "./connection.ts";
import { connectionLost } from "./failures.ts";
import { GREET_OR_PROBE, PROBE, PROBE_MARKER, type ProbeReport, parseProbe } from "./probe.ts";
import { NO_SUDO_STATUS, rootCommand } from "./root-command.ts";
import { describeTarget, type Target } from "./target.ts";

export interface GreetedChannel {
    readonly kind: "agent";
    readonly channel: ClientChannel;
    readonly welcome: Welcome;
}

/** What a node answers: its agent, or what can be said of the machine when there is none or it is silent. */
export type Answer = GreetedChannel | { readonly kind: "report"; readonly report: ProbeReport };

export interface Asking {
    readonly session: SessionId | undefined;
    /** Also try whether the agent could be installed. */
    readonly tryWriting: boolean;
    readonly signal: AbortSignal;
}

const ANSWER_MS = 20_000;
const STDERR_KEPT = 2_000;
const SUDO_WORDS_MAX = 200;

/** Opens the agent's channel in two round trips, or learns why there is none. */
export const askAgent = async (connection: Connection, { session, tryWriting, signal }: Asking): Promise<Answer> => {
    const command = rootCommand(connection.target, GREET_OR_PROBE, [session ?? "", PROTOCOLS_UNDERSTOOD.join(","), ...trial(tryWriting)]);
    const answer = await exchange(connection, command, signal);
    // The agent said that it is there and then nothing: ask the machine alone.
    return answer ?? { kind: "report", report: await probe(connection, { tryWriting, signal }) };
};

/** Asks the machine alone. */
export const probe = async (connection: Connection, { tryWriting, signal }: Omit<Asking, "session">): Promise<ProbeReport> => {
    const answer = await exchange(connection, rootCommand(connection.target, PROBE, trial(tryWriting)), signal);
    if (answer?.kind === "report") return answer.report;
    throw connectionLost(connection.target);
};

const trial = (tryWriting: boolean) => [tryWriting ? "write" : "look"];

const exchange = async (connection: Connection, command: string, signal: AbortSignal): Promise<Answer | undefined> => {
    const { target } = connection;
    const { channel, exit } = await connection.open(command, signal);
    const { promise: impossible, reject } = Promise.withResolvers<never>();
    impossible.catch(() => undefined);
    const giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    const timer = setTimeout(() => reject(tooSlow(target)), ANSWER_MS);
    void connection.closed.then(() => reject(connectionLost(target)));
    const ending = endOf(channel, exit);
    let isKept = false;
    try {
        const marker = await Promise.race([skipNoise(channel, [RPC_MARKER, PROBE_MARKER]), impossible]);
        if (marker === RPC_MARKER) {
            const client = openClientChannel(channel, channel);
            channel.resume();
            const welcome = await Promise.race([client.welcome.catch(() => undefined), impossible]);
            if (welcome === undefined) return undefined;
            isKept = true;
            return { kind: "agent", channel: withGoodbye(client, channel), welcome };
        }
        if (marker === PROBE_MARKER) {
            const report = parseProbe(await Promise.race([text(channel), impossible]));
            if (report) return { kind: "report", report };
        }
        channel.resume();
        throw noAnswer(target, await Promise.race([ending, impossible]));
    } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
        if (!isKept) channel.close();
    }
};

/** The SSH channel goes with the conversation on it. */
const withGoodbye = (client: ClientChannel, channel: SshChannel): ClientChannel => ({
    ...client,
    close: () => {
        client.close();
        channel.close();
    },
});

interface Ending {
    readonly code: number | undefined;
    readonly stderr: string;
}

const endOf = (channel: SshChannel, exit: Promise<Exit>): Promise<Ending> => {
    const { promise, resolve } = Promise.withResolvers<Ending>();
    let stderr = "";
    channel.stderr.on("data", (chunk: Buffer) => {
        stderr = (stderr + chunk.toString("utf8")).slice(-STDERR_KEPT);
    });
    channel.on("close", () => void exit.then(({ code }) => resolve({ code, stderr })));
    return promise;
};

const tooSlow = (target: Target) =>
    new ZeroformError({
        code: "SSH_TIMEOUT",
        action: "connect",
        node: target.alias,
        message: `${describeTarget(target)} ran no command to its end within ${ANSWER_MS / 1000} s`,
        hint: "The machine may be overloaded, or the login shell of the user may wait for input.",
        retryable: true,
    });

/** Without the command that it may quote. */
const wordsOfSudo = (stderr: string): string | undefined =>
    stderr
        .split(/\r?\n/)
        .filter((line) => /sudo|is not allowed to|may not run/i.test(line))
        .at(-1)
        ?.trim()
        .replace(/ '.*'/, " this")
        .slice(0, SUDO_WORDS_MAX);

/** Neither the agent nor the probe came through: sudo or the login shell stood in the way. */
const noAnswer = (target: Target, { code, stderr }: Ending): ZeroformError => {
    const facts = { action: "connect", node: target.alias };
    const words = wordsOfSudo(stderr);
    // Status 1 is what sudo refuses with, and also what shells like /bin/false end with: those say nothing.
    if (target.user !== "root" && (code === NO_SUDO_STATUS || (code === 1 && words !== undefined))) {
        const how = target.sudo ? `and cannot become root by sudo without a password${words ? ` (${words})` : ""}` : "and sudo is false";
        return new ZeroformError({
            ...facts,
            code: "NO_ROOT",
            message: `${target.user} on ${describeTarget(target)} is not root ${how}`,
            hint: target.sudo
                ? `Log in as root, or add "${target.user} ALL=(ALL) NOPASSWD: ALL" to a file in /etc/sudoers.d there.`
                : "Log in as root, or leave sudo out so that it is used.",
        });
    }
    return new ZeroformError({
        ...facts,
        code: "UNSUITABLE",
        message: `${target.user} on ${describeTarget(target)} cannot run commands (status ${code ?? "unknown"})`,
        hint: "Its login shell or a forced command in authorized_keys stands in the way.",
    });
};
