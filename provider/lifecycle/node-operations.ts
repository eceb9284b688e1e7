import { randomUUID } from "node:crypto";
import type { NamedLife, NodeReport } from "../../protocol/api.ts";
import { formatNodeId, type NodeAddress, parseNodeId } from "../../protocol/ids.ts";
import { compareVersions, VERSION } from "../../protocol/version.ts";
import { primitiveOf } from "../../schema/index.ts";
import type { Reach } from "../../schema/on-node.ts";
import { persist } from "./attempts.ts";
import { changesBetween } from "./changes.ts";
import { asCaller, callOptions, contact, reachFrom, settingsOf, trashMsOf } from "./contact.ts";
import { notAnId, type Operations, type Outcome, patienceFor, type Reading } from "./operations.ts";
import { compose, givenBefore, givenIn, inputsRead, nodeOutputsOf } from "./outputs.ts";
import { remove } from "./removal.ts";
import { tellName } from "./renaming.ts";
import type { Destination, NodeLink, Surroundings, Target } from "./surroundings.ts";
import { nameOf, type Properties, text, URN } from "./values.ts";

/** A Node is a machine with the agent on it, and one owner there. */
export const nodeOperations = (surroundings: Surroundings): Operations => {
    const { session, nodes } = surroundings;

    const outcome = async (report: NodeReport, link: NodeLink, inputs: Properties, given: readonly string[]): Promise<Outcome> => {
        const hostKey = text(inputs.hostKey) ?? link.hostKey;
        const complete = { ...inputs, hostKey, hopKeys: link.hopKeys, agentVersion: report.agentVersion };
        const reach = reachFrom(complete);
        session.reached(report, reach, text(inputs[URN]) ?? "");
        const nodeOutputs = { ...report.facts, machineId: report.machine, tenant: report.tenant };
        const { reasons = [] } = report;
        const outputs = nodeOutputsWith(complete, given, nodeOutputs, await nodes.resolve(reach), reasons);
        return { id: formatNodeId(report.machine, report.tenant), outputs, reasons };
    };

    return {
        async create(inputs) {
            const reach = reachFrom(inputs);
            const operation = randomUUID();
            const urn = text(inputs[URN]) ?? "";
            return persist(patienceFor(surroundings, "Node", "create", inputs, reach.host), async (attempt) => {
                const link = await nodes.link(reach, {
                    agent: "current",
                    version: versionAsked(inputs),
                    signal: attempt.signal,
                    onProgress: attempt.say,
                    onMoved: attempt.moved,
                });
                session.linked(link);
                const { machine } = link.welcome;
                const seen = session.seen(machine);
                const params = { urn, name: nameOf(urn), settings: settingsOf(reach), operation, seen };
                const report = await link.request("node.create", params, callOptions(attempt));
                session.told(machine, seen);
                session.made(report.machine, report.tenant);
                return outcome(report, link, inputs, givenIn("Node", inputs));
            });
        },

        async update(id, olds, news) {
            const address = addressOf(id);
            const { inPlace, clientOnly, unfinished } = changesBetween(primitiveOf("Node"), olds, news);
            const inputs = { ...news, hostKey: news.hostKey ?? olds.hostKey, hopKeys: olds.hopKeys };
            const reach = reachFrom(inputs);
            const given = givenIn("Node", news);
            if (inPlace.length === 0 && clientOnly.length > 0 && !unfinished) {
                session.reached(address, reach, text(news[URN]) ?? "");
                if (clientOnly.includes(URN)) await tellName(surroundings, reach, address, news);
                const destination = await nodes.resolve(reach);
                return { id, outputs: nodeOutputsWith(inputs, given, nodeOutputsOf("Node", olds), destination), reasons: [] };
            }
            return persist(patienceFor(surroundings, "Node", "update", news, reach.host), async (attempt) => {
                const link = await contact(surroundings, reach, address, attempt, { agent: "current", version: versionAsked(news) });
                const params = { urn: text(news[URN]) ?? "", settings: settingsOf(reach) };
                const report = await asCaller(surroundings, address, (caller) =>
                    link.request("node.update", { caller, ...params }, callOptions(attempt)),
                );
                return outcome(report, link, inputs, given);
            });
        },

        async read(id, outputs) {
            const address = addressOf(id);
            const reach = session.reachOf(address) ?? reachFrom(outputs);
            return persist<Reading>(patienceFor(surroundings, "Node", "read", outputs, reach.host), async (attempt) => {
                const link = await contact(surroundings, reach, address, attempt);
                const report = await asCaller(surroundings, address, (caller) =>
                    link.request("node.read", { caller }, callOptions(attempt)),
                );
                if (!report.found) return { found: false };
                const given = givenBefore("Node", outputs);
                const { outputs: now } = await outcome(report, link, outputs, given);
                return { found: true, outputs: now, inputs: { ...inputsRead(now, given), ...wantedVersion(outputs, report) } };
            });
        },

        async delete(id, outputs) {
            const address = addressOf(id);
            const reach: Reach = session.reachOf(address) ?? reachFrom(outputs);
            const patience = patienceFor(surroundings, "Node", "delete", outputs, reach.host);
            await remove(surroundings, {
                address,
                reach,
                nodeUrn: text(outputs[URN]),
                patience,
                remove: async (link, attempt) => {
                    const removal = await asCaller(surroundings, address, (caller) =>
                        link.request("node.delete", { caller, trashMs: trashMsOf(reach) }, callOptions(attempt)),
                    );
                    if (removal.kept.length > 0) surroundings.engine.warn(patience.urn, keptOn(reach.host, removal.kept));
                    if (removal.agent === "trash") surroundings.engine.inform(patience.urn, trashOn(reach.host));
                },
            });
        },
    };
};

const addressOf = (id: string): NodeAddress => {
    const address = parseNodeId(id);
    if (!address) throw notAnId("Node", id);
    return address;
};

const nodeOutputsWith = (
    inputs: Properties,
    given: readonly string[],
    nodeOutputs: Properties,
    destination: Destination,
    reasons: readonly string[] = [],
): Properties => {
    const declared = Object.fromEntries(Object.keys(primitiveOf("Node").inputs).map((field) => [field, inputs[field]]));
    const urn = text(inputs[URN]) ?? "";
    const outputs = compose({ kind: "Node", inputs: declared, given, urn, nodeOutputs, address: destination.address, reasons });
    return { ...outputs, hopKeys: inputs.hopKeys ?? [], connection: connectionFor(inputs, destination) };
};

/** In the shape of `remote.Command`'s connection, which knows one jump host: where there are more, it says nothing of them. */
const connectionFor = ({ hostKey, privateKey, passphrase }: Properties, { hop, ...target }: Destination): Properties => ({
    ...loginFor(target, { hostKey, privateKey, passphrase }),
    ...(hop && { proxy: loginFor(hop, hop) }),
});

/** The SSH agent of whoever ran last is nobody's business; one that is configured is. */
const loginFor = (
    { address, port, user, agentSocket }: Target,
    { hostKey, privateKey, passphrase }: { readonly hostKey: unknown; readonly privateKey: unknown; readonly passphrase: unknown },
): Properties => {
    const agentSocketPath = agentSocket === process.env.SSH_AUTH_SOCK ? undefined : agentSocket;
    // Without the key it would belong to a key file, whose content is nobody's business either.
    const privateKeyPassword = privateKey === undefined ? undefined : passphrase;
    const optional = Object.entries({ hostKey, privateKey, privateKeyPassword, agentSocketPath }).filter(
        ([, value]) => value !== undefined,
    );
    return { host: address, port, user, ...Object.fromEntries(optional) };
};

/** This release's own is what an installation brings anyway; then a newer agent on the machine is as good. */
const versionAsked = ({ agentVersion }: Properties): string | undefined => (agentVersion === VERSION ? undefined : text(agentVersion));

/** An agent newer than this stack wants was brought by another stack on the machine, and is no drift: it is never downgraded. */
const wantedVersion = (outputs: Properties, { agentVersion }: NodeReport): Properties => {
    const wanted = text(outputs.agentVersion);
    return wanted !== undefined && compareVersions(agentVersion, wanted) > 0 ? { agentVersion: wanted } : {};
};

const trashOn = (host: string): string =>
    `removed data wait in the trash of ${host} (zeroform trash list --host ${host}); the agent leaves with the last of them.`;

const keptOn = (host: string, kept: readonly NamedLife[]): string => {
    const names = kept.map(({ kind, urn, life }) => `${kind} "${nameOf(urn)}" (${life})`).join(", ");
    return `left on ${host}, with their data, because the stack no longer has them or keeps them: ${names}; \`zeroform remove <life> --host ${host}\` removes one.`;
};
