import { setTimeout as sleep } from "node:timers/promises";
import type { Welcome } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import type { MachineId, SessionId } from "../../protocol/ids.ts";
import { AGENT_UNIT } from "../../protocol/layout.ts";
import { agreedProtocol, compareVersions, VERSION } from "../../protocol/version.ts";
import { type Answer, askAgent, type GreetedChannel, probe } from "./agent-channel.ts";
import { bootstrap } from "./bootstrap.ts";
import type { Connection } from "./connection.ts";
import type { InstalledAgent, ProbeReport } from "./probe.ts";
import type { Release } from "./release.ts";
import type { Work } from "./shared-work.ts";

/** `present`: use what is there, install nothing. `current`: install or upgrade to this package's agent. */
export type AgentWanted = "present" | "current";

export interface Want {
    readonly agent: AgentWanted;
    /** The version that the agent must have, where the program says one. */
    readonly version?: string | undefined;
    /** The machine that is meant: where it has lost its agent's programs it gets them again, whoever asks. */
    readonly machine?: MachineId | undefined;
}

/** An agent that starts with the machine or after a crash. */
const STARTING_MS = 30_000;
/** One that is stopped: by somebody, or because the machine has just started and has not come to it. */
const STOPPED_MS = 5_000;
const LOOK_AGAIN_MS = 250;

/** The agent of a machine, installed or upgraded where that is wanted. */
export const reachAgent = async (
    connection: Connection,
    session: SessionId | undefined,
    want: Want,
    release: Release,
    work: Work,
): Promise<GreetedChannel> => {
    const node = connection.target.alias;
    const tryWriting = want.agent === "current";
    const asking = { session, tryWriting, signal: work.signal };
    const first = await askAgent(connection, asking);
    const answer =
        first.kind === "report" && isWorthWaiting(first.report.agent, want) ? await starting(connection, asking, node, work) : first;
    if (answer.kind === "agent") {
        if (await suitsOrCloses(answer, want, release, node)) return answer;
        work.progress(`upgrading the agent on ${node} from ${answer.welcome.agentVersion} to ${VERSION}`);
        answer.channel.close();
    } else {
        const { agent } = answer.report;
        const isRobbed = agent === undefined && want.machine !== undefined && answer.report.machine === want.machine;
        if ((want.agent === "present" && !isRobbed) || isNewer(agent))
            throw agent === undefined ? missing(node, answer.report) : silentAgent(node, agent);
    }
    if (want.version !== undefined && want.version !== VERSION) throw otherVersion(node, want.version, undefined);
    const report = first.kind === "report" && tryWriting ? first.report : await probe(connection, { ...asking, tryWriting: true });
    await bootstrap(connection, report, release, work);
    const installed = await starting(connection, asking, node, work);
    if (installed.kind === "agent") {
        if (await suitsOrCloses(installed, want, release, node)) return installed;
        installed.channel.close();
        throw notReplaced(node, installed.welcome);
    }
    throw installed.report.agent === undefined ? missing(node, installed.report) : silentAgent(node, installed.report.agent);
};

/** One that is older, or not started, is replaced rather than waited for when that is wanted anyway. */
const isWorthWaiting = (agent: InstalledAgent | undefined, { agent: wanted }: Want): boolean =>
    agent !== undefined && (wanted === "present" || isNewer(agent) || agent.unit === "active" || agent.unit === "activating");

const isNewer = (agent: InstalledAgent | undefined): boolean => agent?.version !== undefined && compareVersions(agent.version, VERSION) > 0;

/** Waits for an installed agent to answer. Its unit having failed for good ends the wait, and so does its falling once more meanwhile. */
const starting = async (connection: Connection, asking: Parameters<typeof askAgent>[1], node: string, work: Work): Promise<Answer> => {
    const start = performance.now();
    let fallen = Number.POSITIVE_INFINITY;
    for (;;) {
        const next = await askAgent(connection, { ...asking, tryWriting: false });
        if (next.kind === "agent") return next;
        const { agent } = next.report;
        if (agent === undefined || agent.unit === "failed" || (agent.falling?.times ?? 0) > fallen) return next;
        fallen = Math.min(fallen, agent.falling?.times ?? Number.POSITIVE_INFINITY);
        if (performance.now() - start > (agent.unit === "inactive" ? STOPPED_MS : STARTING_MS)) return next;
        work.progress(`waiting for the agent on ${node} (${agent.unit})`);
        await sleep(LOOK_AGAIN_MS, undefined, { signal: work.signal });
    }
};

/** Whether an agent that answers is what is wanted. False: an upgrade is due; it is never downgraded. Throws where no upgrade would help. */
export const suits = async (welcome: Welcome, want: Want, release: Release, node: string): Promise<boolean> => {
    const { protocols, agentVersion, agentHash } = welcome;
    const age = compareVersions(agentVersion, VERSION);
    if (want.agent === "current") {
        if (want.version !== undefined && want.version !== agentVersion && (want.version !== VERSION || age > 0))
            throw otherVersion(node, want.version, agentVersion);
        if (want.version === undefined || want.version === VERSION) {
            if (age < 0 || (age === 0 && agentHash !== (await release.agent()).sha256)) return false;
        }
    }
    if (agreedProtocol(protocols) !== undefined) return true;
    throw new ZeroformError({
        code: age > 0 ? "AGENT_NEWER" : "PROTOCOL_MISMATCH",
        node,
        message: `the agent on ${node} is version ${agentVersion}, and this zeroform ${VERSION} does not understand it`,
        hint: age > 0 ? "Upgrade the zeroform package of the program." : "Run pulumi up, which upgrades the agent.",
    });
};

const suitsOrCloses = async (greeted: GreetedChannel, want: Want, release: Release, node: string): Promise<boolean> => {
    try {
        return await suits(greeted.welcome, want, release, node);
    } catch (thrown) {
        greeted.channel.close();
        throw thrown;
    }
};

const notReplaced = (node: string, { agentVersion }: Welcome) =>
    new ZeroformError({
        code: "AGENT_BROKEN",
        node,
        message: `the agent on ${node} was upgraded to ${VERSION}, and ${agentVersion} still answers`,
        hint: `Look at: journalctl -u ${AGENT_UNIT}`,
    });

const otherVersion = (node: string, wanted: string, running: string | undefined) =>
    new ZeroformError({
        code: "INVALID",
        node,
        message: `agentVersion asks for ${wanted} on ${node}, where ${running === undefined ? "no agent runs" : `${running} runs`}; this zeroform brings ${VERSION}`,
        hint: `Leave agentVersion out, or use version ${wanted} of the zeroform package. An agent is never downgraded.`,
    });

const missing = (node: string, { hasTraces }: ProbeReport) =>
    hasTraces
        ? new ZeroformError({
              code: "AGENT_MISSING",
              node,
              message: `${node} has no zeroform agent, but files of one`,
              hint: "Mount its disk, or put back the files that are missing in /var/lib/zeroform; what of it is lost for good is made anew by changing `machine` of its Node.",
          })
        : new ZeroformError({
              code: "AGENT_GONE",
              node,
              message: `${node} has no zeroform agent`,
              hint: "Creating its Node installs it.",
          });

const silentAgent = (node: string, { unit, falling, log }: InstalledAgent) =>
    new ZeroformError({
        code: "AGENT_BROKEN",
        node,
        message: falling?.said
            ? `the agent on ${node} ends as soon as it has started: ${falling.said}`
            : `the agent on ${node} does not answer (${AGENT_UNIT} is ${unit || "unknown"})${log.length > 0 ? `: ${log.join(" / ")}` : ""}`,
        hint: `Look at: journalctl -u ${AGENT_UNIT}`,
    });
