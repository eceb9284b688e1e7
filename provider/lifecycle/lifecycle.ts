import { parseNodeId } from "../../protocol/ids.ts";
import { type Kind, primitiveOf } from "../../schema/index.ts";
import { type Checked, check } from "./check.ts";
import { reachFrom } from "./contact.ts";
import { type Difference, diff } from "./diff.ts";
import { nodeOperations } from "./node-operations.ts";
import type { Operations, Outcome } from "./operations.ts";
import { resourceOperations } from "./resource-operations.ts";
import type { Session } from "./session.ts";
import { completed, stored } from "./stored.ts";
import type { Surroundings } from "./surroundings.ts";
import { hasUnknown, isRecord, type Properties, text, URN } from "./values.ts";

/** A kind of resource, for whichever frontend: what needs no contact with a node, and what does. It takes and answers what the engine stores. */
export interface Lifecycle extends Operations {
    check(olds: unknown, news: unknown): Checked;
    diff(id: string, olds: Properties, news: Properties): Difference;
}

export const lifecycle = (kind: Kind, surroundings: Surroundings): Lifecycle => {
    const operations = kind === "Node" ? nodeOperations(surroundings) : resourceOperations(kind, surroundings);
    const complete = (properties: Properties) => completed(kind, properties);
    const outcome = (made: Outcome, inputs: Properties): Outcome => ({ ...made, outputs: stored(kind, made.outputs, inputs) });
    return {
        check: (olds, news) => {
            const { inputs, failures } = check(kind, olds, news);
            return { inputs: stored(kind, inputs, { ...asProperties(olds), ...asProperties(news) }), failures };
        },
        diff: (id, olds, news) => {
            surroundings.session.noticed(id);
            const difference = diff(kind, olds, complete(news));
            if (difference.replaces.length > 0) keepOver(surroundings.session, kind, olds, news);
            if (kind === "Node" && difference.replaces.length === 0) noteWayTo(surroundings.session, id, olds, news);
            return difference;
        },
        create: async (inputs) => outcome(await operations.create(complete(inputs)), inputs),
        update: async (id, olds, news) => outcome(await operations.update(id, complete(olds), complete(news)), news),
        read: async (id, outputs) => {
            const reading = await operations.read(id, complete(outputs));
            if (!reading.found) return reading;
            return { found: true, outputs: stored(kind, reading.outputs, outputs), inputs: stored(kind, reading.inputs, outputs) };
        },
        delete: (id, outputs) => operations.delete(id, complete(outputs)),
    };
};

const asProperties = (value: unknown): Properties => (isRecord(value) ? value : {});

/** The create that follows sees the new inputs only: what was generated, and has to stay, is handed over here. */
const keepOver = (session: Session, kind: Kind, olds: Properties, news: Properties) => {
    const kept = Object.entries(primitiveOf(kind).inputs).filter(([field, input]) => input.keptOver && news[field] === undefined);
    const values = kept.flatMap(([field]) => (olds[field] === undefined ? [] : [[field, olds[field]] as const]));
    if (values.length > 0) session.keepOver(text(news[URN]) ?? "", Object.fromEntries(values));
};

/** A Node that does not change is asked nothing else, and still knows the way better than what children carry. */
const noteWayTo = (session: Session, id: string, olds: Properties, news: Properties) => {
    const address = parseNodeId(id);
    if (address && !hasUnknown(news))
        session.reached(
            address,
            reachFrom({ ...news, hostKey: news.hostKey ?? olds.hostKey, hopKeys: olds.hopKeys }),
            text(news[URN]) ?? "",
        );
};
