import fc from "fast-check";

/** Keys are numbers here: what they are on the wire depends on the mode. */
export type ModelCommand =
    | { readonly do: "set"; readonly key: number; readonly value: string; readonly timestamp: number | undefined }
    | { readonly do: "del"; readonly key: number; readonly timestamp: number | undefined }
    | { readonly do: "get" | "exists" | "length" | "keytime" | "check" | "keycur"; readonly key: number }
    | { readonly do: "mget"; readonly keys: readonly number[] }
    | { readonly do: "dbsize" | "flush" | "nsjump" }
    /** `held`: which of the cursors that answers told so far; undefined: from the beginning. */
    | { readonly do: "scan" | "rscan"; readonly held: number | undefined }
    | { readonly do: "kscan"; readonly prefix: string }
    /** `held`: which of the versions that answers named so far; undefined: the newest. */
    | { readonly do: "history"; readonly key: number; readonly held: number | undefined }
    | { readonly do: "nsset"; readonly property: string; readonly value: string };

/** What may happen to the server between the commands of its client. */
export type ModelStep =
    /** In one piece, so that they are carried out in one turn. */
    | { readonly do: "commands"; readonly all: readonly ModelCommand[] }
    | TidyingStep
    | { readonly do: "reload" | "restart" | "kill" }
    | { readonly do: "pass"; readonly ms: number }
    /** NSSNAPSHOT; and the snapshot takes the place of the namespace. */
    | { readonly do: "snapshot" | "restore" };

/** What a server does to its files in its own time. */
export type TidyingStep =
    | { readonly do: "list" | "checkpoint" }
    | { readonly do: "compact"; readonly from: number; readonly count: number };

/** Its keys are few, so that most commands meet one that is there. */
export const MOST_KEY = 9;

const key = fc.nat({ max: MOST_KEY });
const held = fc.option(fc.nat({ max: 7 }), { nil: undefined });
/** Of administrators; without one it is the time of the server. */
const timestamp = fc.option(fc.integer({ min: 1_000_000_000, max: 1_000_001_000 }), { nil: undefined, freq: 4 });
const value = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom("", "same", "x".repeat(700)),
    fc.nat({ max: 900 }).map((length) => "y".repeat(length)),
    // Larger than a segment: it has one of its own.
    { weight: 1, arbitrary: fc.constant("z".repeat(5000)) },
);

const property = fc.oneof(
    fc.record({ property: fc.constantFrom("lock", "freeze"), value: fc.constantFrom("0", "0", "1") }),
    fc.record({ property: fc.constant("worm"), value: fc.constantFrom("0", "0", "1") }),
    fc.record({ property: fc.constant("public"), value: fc.constantFrom("0", "0", "1") }),
    fc.record({ property: fc.constant("password"), value: fc.constantFrom("secret", "another", "*") }),
    fc.record({ property: fc.constant("maxsize"), value: fc.constantFrom("0", "0", "1000", "3000", "1e3") }),
    fc.record({ property: fc.constant("history"), value: fc.constantFrom("none", "count 1", "count 3", "age 24h", "count 0") }),
    fc.record({ property: fc.constant("durability"), value: fc.constantFrom("none", "interval 1s", "commit") }),
);

const command: fc.Arbitrary<ModelCommand> = fc.oneof(
    { weight: 24, arbitrary: fc.record({ do: fc.constant("set" as const), key, value, timestamp }) },
    { weight: 7, arbitrary: fc.record({ do: fc.constant("del" as const), key, timestamp }) },
    {
        weight: 6,
        arbitrary: fc.record({ do: fc.constantFrom("get", "exists", "length", "keytime", "check", "keycur"), key }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("mget" as const), keys: fc.array(key, { minLength: 1, maxLength: 4 }) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("scan", "rscan"), held }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("history" as const), key, held }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("kscan" as const), prefix: fc.constantFrom("", "key ", "key 1", "none") }) },
    { weight: 4, arbitrary: property.map((change) => ({ do: "nsset" as const, ...change })) },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("flush", "dbsize", "nsjump") }) },
);

export const modelStep: fc.Arbitrary<ModelStep> = fc.oneof(
    { weight: 20, arbitrary: fc.record({ do: fc.constant("commands" as const), all: fc.array(command, { minLength: 1, maxLength: 6 }) }) },
    {
        weight: 3,
        arbitrary: fc.record({
            do: fc.constant("compact" as const),
            from: fc.nat({ max: 4 }),
            count: fc.integer({ min: 1, max: 4 }),
        }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("list", "checkpoint", "reload", "restart", "kill") }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("snapshot", "restore") }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(10, 1000, 100_000) }) },
);
