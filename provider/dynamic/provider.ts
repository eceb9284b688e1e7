import type { dynamic } from "@pulumi/pulumi";
import { ZeroformError } from "../../protocol/errors.ts";
import type { Kind } from "../../schema/index.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import type { Outcome } from "../lifecycle/operations.ts";
import { type Properties, text, URN } from "../lifecycle/values.ts";
import { staySmall } from "./memory.ts";
import { quietError } from "./quiet-error.ts";

/** The parts of a process that cost time to load, loaded once for all kinds. */
interface Running {
    readonly lifecycleOf: (kind: Kind) => Lifecycle;
    readonly isKind: (kind: string) => kind is Kind;
    readonly seal: (kind: Kind, properties: Properties) => Properties;
    readonly unfinishedSentence: (kind: Kind, urn: string, outcome: Outcome) => string;
}

let running: Promise<Running> | undefined;

/**
 * The provider of a kind of resource, as the constant `__provider` text asks for it. Every method waits for its own
 * readiness: the host neither waits for `configure` before a second call, nor calls it again when it failed.
 */
export const load = (kind: string): dynamic.ResourceProvider<Properties, Properties> => {
    running ??= start();
    const ready = running;
    // Each method reports a failed start; nobody may be waiting now.
    ready.catch(() => undefined);

    const using = async <T>(work: (lifecycle: Lifecycle, kind: Kind, parts: Running) => Promise<T> | T): Promise<T> => {
        const parts = await ready;
        if (!parts.isKind(kind)) throw unknownKind(kind);
        return work(parts.lifecycleOf(kind), kind, parts);
    };

    return {
        check: (olds: Properties, news: Properties) =>
            quietly(() =>
                using((lifecycle) => {
                    const { inputs, failures } = lifecycle.check(olds, news);
                    return { inputs, failures: [...failures] };
                }),
            ),
        diff: (id: string, olds: Properties, news: Properties) =>
            quietly(() =>
                using((lifecycle) => {
                    const { replaces, ...difference } = lifecycle.diff(id, olds, news);
                    return { ...difference, replaces: [...replaces] };
                }),
            ),
        create: (inputs: Properties) =>
            quietly(() =>
                using(async (lifecycle, kind, parts) => {
                    const outcome = await lifecycle.create(inputs);
                    return { id: outcome.id, outs: sealed(kind, outcome, inputs, parts) };
                }),
            ),
        update: (id: string, olds: Properties, news: Properties) =>
            quietly(() =>
                using(async (lifecycle, kind, parts) => {
                    const outcome = await lifecycle.update(id, olds, news);
                    return { outs: sealed(kind, outcome, news, parts) };
                }),
            ),
        read: (id: string, outputs: Properties = {}) =>
            quietly(() =>
                using(async (lifecycle, kind, { seal }) => {
                    const reading = await lifecycle.read(id, outputs);
                    // An empty id is how the engine is told that it is gone.
                    if (!reading.found) return { id: "", props: {} };
                    return { id, props: seal(kind, reading.outputs), inputs: seal(kind, reading.inputs) };
                }),
            ),
        delete: (id: string, outputs: Properties) => quietly(() => using((lifecycle) => lifecycle.delete(id, outputs))),
    };
};

/** Loaded beside each other, and only now: `require` of this file is on the way of every run. */
const start = async (): Promise<Running> => {
    staySmall();
    const [process, schema, sealing, resources] = await Promise.all([
        import("./process.ts"),
        import("../../schema/index.ts"),
        import("./seal.ts"),
        import("../lifecycle/resource-operations.ts"),
    ]);
    return {
        lifecycleOf: await process.startProcess(),
        isKind: schema.isKind,
        seal: sealing.seal,
        unfinishedSentence: resources.unfinishedSentence,
    };
};

/** Outputs with their secrets marked; what exists but is not ready is thrown, as the host wants it. */
const sealed = (kind: Kind, outcome: Outcome, inputs: Properties, { seal, unfinishedSentence }: Running): Properties => {
    const properties = seal(kind, outcome.outputs);
    if (outcome.reasons.length === 0) return properties;
    throw new PartlyDone(unfinishedSentence(kind, text(inputs[URN]) ?? "", outcome), outcome, {
        ...properties,
        __provider: inputs.__provider,
    });
};

class PartlyDone extends Error {
    readonly id: string;
    readonly reasons: readonly string[];
    readonly properties: Properties;

    constructor(sentence: string, { id, reasons }: Outcome, properties: Properties) {
        super(sentence);
        this.id = id;
        this.reasons = reasons;
        this.properties = properties;
    }
}

const quietly = async <T>(work: () => Promise<T>): Promise<T> => {
    const debug = Boolean(process.env.ZEROFORM_DEBUG);
    try {
        return await work();
    } catch (thrown) {
        if (!(thrown instanceof PartlyDone)) throw quietError(thrown, debug);
        const { id, properties, reasons, message } = thrown;
        throw quietError(new ZeroformError({ code: "NOT_READY", message }), debug, { id, properties, reasons });
    }
};

const unknownKind = (kind: string) =>
    new ZeroformError({
        code: "INVALID",
        message: `zeroform has no resource of kind "${kind}"`,
        hint: "Install the version of zeroform that made it, or a newer one.",
    });
