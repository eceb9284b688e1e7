import { createHmac, randomBytes, randomUUID } from "node:crypto";
import type { Digest, ResourceReport } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { formatResourceId, type NodeAddress, parseNodeId, parseResourceId, type ResourceAddress } from "../../protocol/ids.ts";
import { secretText } from "../../protocol/secret-text.ts";
import { type Kind, primitiveOf } from "../../schema/index.ts";
import type { Reach } from "../../schema/on-node.ts";
import { persist } from "./attempts.ts";
import { changesBetween } from "./changes.ts";
import { asCaller, callOptions, contact, reachFrom, settingsOf, trashMsOf, waitMsOf } from "./contact.ts";
import { notAnId, type Operations, patienceFor, type Reading } from "./operations.ts";
import { compose, givenBefore, givenIn, inputsAfter, inputsRead, nodeOutputsOf, type Reported, specOf } from "./outputs.ts";
import { remove } from "./removal.ts";
import { tellName } from "./renaming.ts";
import type { Surroundings } from "./surroundings.ts";
import { nameOf, type Properties, text, URN } from "./values.ts";

/** Every primitive that lives on a node: asked of the agent there, in its own life. */
export const resourceOperations = (kind: Exclude<Kind, "Node">, surroundings: Surroundings): Operations => {
    const { session, nodes } = surroundings;
    const primitive = primitiveOf(kind);

    /** The Node's own word in this process is newer than what was stored with a child. */
    const wayTo = (address: NodeAddress, properties: Properties): Reach => session.reachOf(address) ?? reachFrom(properties.connection);

    const outputsOf = (news: Properties, olds: Properties, given: readonly string[], address: string, reported: Reported): Properties =>
        compose({
            kind,
            inputs: inputsAfter(primitive, news, olds, reported),
            given,
            urn: text(news[URN]) ?? "",
            nodeOutputs: { ...nodeOutputsOf(kind, olds), ...reported.outputs },
            address,
            reasons: reasonsOf(reported),
        });

    const tellNotes = (urn: string, { notes = [] }: ResourceReport) => {
        for (const note of notes) surroundings.engine.warn(urn, `${note}.`);
    };

    return {
        async create(inputs) {
            const node = parseNodeId(text(inputs.node) ?? "");
            if (!node) throw notAnId("Node", text(inputs.node) ?? "");
            const reach = wayTo(node, inputs);
            const urn = text(inputs[URN]) ?? "";
            const kept = session.keptOver(urn);
            const fixed = { kind, urn, name: nameOf(urn), operation: randomUUID(), spec: specOf(primitive, inputs, kept) };
            const settings = { trashMs: trashMsOf(reach), settings: settingsOf(reach) };
            return persist(patienceFor(surroundings, kind, "create", inputs, reach.host), async (attempt) => {
                const link = await contact(surroundings, reach, node, attempt);
                const report = await asCaller(surroundings, node, (caller) =>
                    link.request("resource.create", { caller, ...fixed, ...settings, waitMs: waitMsOf(attempt) }, callOptions(attempt)),
                );
                session.made(node.machine, report.life);
                tellNotes(urn, report);
                const outputs = outputsOf(inputs, kept, givenIn(kind, inputs), link.target.address, report);
                return { id: formatResourceId(node.machine, node.tenant, report.life), outputs, reasons: reasonsOf(report) };
            });
        },

        async update(id, olds, news) {
            const address = addressOf(kind, id);
            const reach = wayTo(address, news);
            const given = givenIn(kind, news);
            const { inPlace, clientOnly, unfinished } = changesBetween(primitive, olds, news);
            if (inPlace.length === 0 && clientOnly.length > 0 && !unfinished) {
                if (clientOnly.includes(URN)) await tellName(surroundings, reach, address, news);
                const target = await nodes.resolve(reach);
                const unchanged: Reported = { spec: {}, outputs: {}, reasons: [], state: "ready" };
                return { id, outputs: outputsOf(news, olds, given, target.address, unchanged), reasons: [] };
            }
            const urn = text(news[URN]) ?? "";
            const desired = { life: address.life, urn, spec: specOf(primitive, news, olds), settings: settingsOf(reach) };
            return persist(patienceFor(surroundings, kind, "update", news, reach.host), async (attempt) => {
                const link = await contact(surroundings, reach, address, attempt);
                const report = await asCaller(surroundings, address, (caller) =>
                    link.request("resource.update", { caller, ...desired, waitMs: waitMsOf(attempt) }, callOptions(attempt)),
                );
                tellNotes(urn, report);
                return { id, outputs: outputsOf(news, olds, given, link.target.address, report), reasons: reasonsOf(report) };
            });
        },

        async read(id, outputs) {
            const address = addressOf(kind, id);
            const reach = wayTo(address, outputs);
            return persist<Reading>(patienceFor(surroundings, kind, "read", outputs, reach.host), async (attempt) => {
                const link = await contact(surroundings, reach, address, attempt);
                const digests = digestsOf(kind, outputs);
                const report = await asCaller(surroundings, address, (caller) =>
                    link.request("resource.read", { caller, life: address.life, digests }, callOptions(attempt)),
                );
                if (!report.found) return { found: false };
                const differing = report.differingSecrets.map((field) => `${field} is not the one that was set`);
                const reported: Reported = { ...report, reasons: [...reasonsOf(report), ...differing], state: "ready" };
                const given = givenBefore(kind, outputs);
                const now = outputsOf(outputs, outputs, given, link.target.address, {
                    ...reported,
                    state: reported.reasons.length > 0 ? "unfinished" : "ready",
                });
                return { found: true, outputs: now, inputs: inputsRead(now, given) };
            });
        },

        async delete(id, outputs) {
            const address = addressOf(kind, id);
            const reach = wayTo(address, outputs);
            const onRemove = outputs.onRemove === "keep" ? "keep" : "delete";
            await remove(surroundings, {
                address,
                reach,
                nodeUrn: text(outputs.nodeUrn),
                patience: patienceFor(surroundings, kind, "delete", outputs, reach.host),
                remove: async (link, attempt) => {
                    const fixed = { life: address.life, onRemove, trashMs: trashMsOf(reach), waitMs: waitMsOf(attempt) } as const;
                    await asCaller(surroundings, address, (caller) =>
                        link.request("resource.delete", { caller, ...fixed }, callOptions(attempt)),
                    );
                },
            });
        },
    };
};

const addressOf = (kind: Kind, id: string): ResourceAddress => {
    const address = parseResourceId(id);
    if (!address) throw notAnId(kind, id);
    return address;
};

/** A resource that is not ready has a reason even when nobody said one. */
const reasonsOf = ({ state, reasons }: Pick<ResourceReport, "state" | "reasons">): readonly string[] => {
    if (state === "ready") return [];
    return reasons.length > 0 ? reasons : ["not ready yet"];
};

/** Proofs of the secrets that the resource should have, under a key that is used once. */
const digestsOf = (kind: Kind, outputs: Properties): Record<string, Digest> => {
    const key = randomBytes(32);
    const secrets = Object.entries(primitiveOf(kind).inputs).filter(([, { secret }]) => secret);
    return Object.fromEntries(
        secrets.flatMap(([field]) => {
            const value = outputs[field];
            if (value === undefined || value === null) return [];
            const hmac = createHmac("sha256", key).update(secretText(value), "utf8").digest("base64");
            return [[field, { key: key.toString("base64"), hmac }]];
        }),
    );
};

/** What a resource that exists but is not ready is shown as. */
export const unfinishedSentence = (
    kind: Kind,
    urn: string,
    { id, reasons }: { readonly id: string; readonly reasons: readonly string[] },
) =>
    new ZeroformError({
        code: "NOT_READY",
        kind,
        name: urn === "" ? undefined : nameOf(urn),
        message: `it exists (${id}) but is not ready: ${reasons.join("; ")}`,
        hint: "The agent goes on trying; run `pulumi up` again to wait for it.",
    }).sentence();
