import { describe, expect, it } from "vitest";
import { mintLife, mintTenantId } from "../../protocol/ids.ts";
import type { Observation } from "./driver.ts";
import { parseFigures } from "./zstor-measure.ts";
import { type FrontEndFacts, observeZStor } from "./zstor-observe.ts";
import { frontEndOf, type ZStor } from "./zstor-places.ts";
import { type Answered, parseStatus } from "./zstor-status.ts";
import { configOf, FRONT_END, instanceOf, revisionOf, secretsIn, withPrevious } from "./zstor-units.ts";

const SECRET = "correct-horse-battery";

const zstor = (spec: Partial<ZStor["spec"]> = {}): ZStor => ({
    life: mintLife(),
    tenant: mintTenantId(),
    kind: "ZStor",
    urn: "urn:of-this",
    name: "%i; $(reboot)",
    spec: {
        node: "",
        nodeMachine: undefined,
        backends: [1, 2, 3].map((index) => ({ url: `redis://data:of-backends@10.0.0.${index}:9900`, group: `g${index}` })),
        metadata: ["redis://meta:of-metadata@10.0.0.1:9900"],
        dataShards: 2,
        parityShards: 1,
        redundantGroups: 1,
        redundantNodes: 0,
        minParity: 1,
        compression: true,
        secret: SECRET,
        scrub: "30d",
        deadAfter: "10m",
        cache: undefined,
        cacheSize: undefined,
        ...spec,
    },
    uses: {},
});

const resource = zstor();
const front = frontEndOf(resource);
const config = configOf(resource, front);
const answer = (changes: Partial<Answered> = {}): Answered => ({
    revision: revisionOf(config),
    owed: 0,
    metadata: {},
    backends: [{ name: "data@10.0.0.1:9900", state: "ok" }],
    warnings: [],
    layout: { holds: true, why: "every loss that the policy means leaves enough shards" },
    ...changes,
});
const observed = (changes: Partial<FrontEndFacts> = {}) =>
    observeZStor(
        resource,
        new Map([
            [
                resource.life,
                { installed: true, config, superseded: false, hasCacheMount: false, answer: answer(), down: undefined, ...changes },
            ],
        ]),
    );
const NARROW = { holds: false, why: "there are 2 groups" };

describe("a ZStor", () => {
    it.each<[string, Partial<FrontEndFacts>, string]>([
        ["as desired", {}, "ready"],
        [
            "its front end falls again and again",
            { down: { sub: "auto-restart", lastWords: "zstor: no quorum" } },
            "does not run (auto-restart): zstor: no quorum",
        ],
        ["its front end is silent", { answer: { silent: "silent for 5 s" } }, "does not answer: silent for 5 s"],
        ["another one has taken over", { superseded: true, answer: { silent: "gone" } }, "another front end has taken the store over"],
        ["its unit was changed", { installed: false }, "unit is gone or changed"],
        ["its parameters were changed", { config: `${config} ` }, "parameters are gone or changed"],
        ["it was not restarted with them", { answer: answer({ revision: "another" }) }, "still runs by earlier parameters"],
        [
            "the disk of its cache came after it",
            { hasCacheMount: true, answer: answer({ cache: { isLost: true } }) },
            "does not see the disk of its cache",
        ],
        ["the disk of its cache is not there", { answer: answer({ cache: { isLost: true } }) }, "ready"],
        ["it has stopped writing", { answer: answer({ stopped: "no room" }) }, "nothing is written any more: no room"],
        [
            "its metadata are not yet where they are asked to be",
            {
                answer: answer({
                    metadata: {
                        exchange: {
                            joining: "new@10.0.0.4:9900",
                            leaving: "old@10.0.0.1:9900",
                            phase: "filling",
                            values: 7,
                            copied: 2,
                            why: "no room",
                        },
                    },
                }),
            },
            "its metadata namespaces are being exchanged: new@10.0.0.4:9900 joins, old@10.0.0.1:9900 leaves, 2 of 7 values are copied; no room",
        ],
        [
            "too few metadata namespaces are listed",
            { answer: answer({ metadata: { refusal: "list at least 3" } }) },
            "the metadata namespaces are not exchanged: list at least 3",
        ],
        ["what is asked for cannot be", { answer: answer({ layout: NARROW }) }, "cannot hold what is asked for: there are 2 groups"],
        [
            "what was taken out of it is not emptied",
            { answer: answer({ backends: [{ name: "old@10.0.0.9:9900", state: "it is draining", draining: true, stripes: 7 }] }) },
            "7 stripes still have shards on backends that were taken out",
        ],
    ])("is judged when %s", (_, changes, is) => expect(wordsOf(observed(changes))).toContain(is));

    it("is ready, with a word on it, while backends are away or something is owed", () => {
        const backends = [
            { name: "data@10.0.0.1:9900", state: "does not answer", downSinceMs: 1 },
            { name: "old@10.0.0.9:9900", state: "it is draining", draining: true, stripes: 0 },
            { name: "dead@10.0.0.8:9900", state: "it is draining", draining: true, stripes: 3, downSinceMs: 1 },
        ];
        const warnings = ["3 stripes have shards that are to be made again elsewhere"];
        expect(observed({ answer: answer({ layout: NARROW, backends, warnings }) })).toEqual({
            state: "ready",
            outputs: { socket: front.socket },
            notes: ["a stripe that is written now is less safe than asked for: there are 2 groups", ...warnings],
        });
        expect(observed({ answer: answer({ warnings }) })).toMatchObject({ state: "ready", notes: warnings });
    });

    it("keeps secrets that its store may be sealed with until it is sealed with the one of today", () => {
        const before = withPrevious(config, ["the first", "the second"]);
        expect(secretsIn(before)).toEqual([SECRET, "the first", "the second"]);
        expect(revisionOf(before)).toBe(revisionOf(config));
        expect(withPrevious(config, [])).toBe(config);
        expect(secretsIn("damaged")).toEqual([]);
        const other = zstor({ compression: false });
        expect(revisionOf(configOf(other, front))).not.toBe(revisionOf(config));
    });

    it("has a front end whose units hold neither a user's words nor a secret", () => {
        const all = JSON.stringify([FRONT_END, instanceOf(front, undefined)]);
        for (const hidden of [SECRET, "of-backends", "of-metadata", "reboot"]) expect(all).not.toContain(hidden);
        expect(FRONT_END.text).not.toContain(resource.life);
        expect(JSON.stringify(observed({ config: "", answer: answer({ revision: "x" }) }))).not.toContain(SECRET);
    });

    it("tells nothing that another release may mean otherwise", () => {
        const told = { ...answer(), layout: undefined };
        expect(parseStatus([{ ...told, more: 1 }, NARROW])).toMatchObject({ layout: NARROW });
        expect(() => parseStatus([{ objects: 1 }, NARROW])).toThrow("words of another release");
    });

    it("hands on the figures of its front end", () => {
        const text = `# HELP zstor_stripes Stripes by spare.
# TYPE zstor_stripes gauge
zstor_stripes{spare="2"} 41
zstor_stripes{spare="-1"} 1
# HELP zstor_operations_total Operations.
# TYPE zstor_operations_total counter
zstor_operations_total{operation="put",backend="3"} 7
# HELP zstor_operation_duration_seconds Times.
# TYPE zstor_operation_duration_seconds histogram
zstor_operation_duration_seconds_bucket{operation="put",le="0.25"} 6
zstor_operation_duration_seconds_bucket{operation="put",le="+Inf"} 7
zstor_operation_duration_seconds_sum{operation="put"} 1.5
zstor_operation_duration_seconds_count{operation="put"} 7
other_things 5
zstor_untold 5
zstor_stripes{spare="0"} none
`;
        const stripes = { name: "zeroform_zstor_stripes", help: "Stripes by spare.", type: "gauge" };
        const times = { name: "zeroform_zstor_operation_duration_seconds", help: "Times.", type: "histogram" };
        expect(parseFigures(text)).toEqual([
            { family: stripes, labels: { spare: "2" }, value: 41 },
            { family: stripes, labels: { spare: "-1" }, value: 1 },
            {
                family: { name: "zeroform_zstor_operations_total", help: "Operations.", type: "counter" },
                labels: { operation: "put", backend: "3" },
                value: 7,
            },
            { family: times, suffix: "_bucket", labels: { operation: "put", le: "0.25" }, value: 6 },
            { family: times, suffix: "_bucket", labels: { operation: "put", le: "+Inf" }, value: 7 },
            { family: times, suffix: "_sum", labels: { operation: "put" }, value: 1.5 },
            { family: times, suffix: "_count", labels: { operation: "put" }, value: 7 },
        ]);
    });
});

const wordsOf = (seen: Observation<never>): string => (seen.state === "drifted" ? seen.why : seen.state);
