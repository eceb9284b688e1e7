import { describe, expect, it } from "vitest";
import { defaultsOf } from "../../schema/defaults.ts";
import { type Kind, primitives } from "../../schema/index.ts";
import { fakeMachine, fakeSurroundings, report } from "./fake-surroundings.ts";
import { lifecycle } from "./lifecycle.ts";
import { checked, life, machine, resourceId, tenant, written } from "./sample.ts";
import { completed, stored } from "./stored.ts";
import type { Properties } from "./values.ts";

const kinds = Object.keys(primitives) as Kind[];
const bare = (kind: Kind): Properties => stored(kind, checked(kind), written[kind]);
const zdb = (answers: Parameters<typeof fakeMachine>[0] = {}) =>
    lifecycle("Zdb", fakeSurroundings({ "10.0.0.11": fakeMachine(answers) }).surroundings);
/** As states of 0.2.0 have it. */
const complete = checked("Zdb");

describe("what the engine stores", () => {
    it.each(kinds)("is what was written of a %s, and gives all of it back", (kind) => {
        expect(Object.keys(bare(kind)).filter((field) => field in defaultsOf(primitives[kind]))).toEqual([]);
        expect(completed(kind, bare(kind))).toEqual(checked(kind));
    });

    it("is what check answers: a default that is written stays, and so does one that was stored", () => {
        const { check } = zdb();
        expect(check({}, written.Zdb).inputs).toEqual(bare("Zdb"));
        expect(check({}, { ...written.Zdb, worm: null, mode: "user" }).inputs).toEqual({ ...bare("Zdb"), mode: "user" });
        expect(check(complete, written.Zdb).inputs).toEqual(complete);
    });

    it("shows what a value goes back to that is written no longer", () => {
        expect(zdb().check({ ...bare("Zdb"), worm: true }, written.Zdb).inputs).toMatchObject({ worm: false });
    });

    it("is sent to the node in full, and mirrored as it was", async () => {
        const asked: Properties[] = [];
        const answer = ({ spec }: { readonly spec: Properties }) => {
            asked.push(spec);
            return report({ spec, outputs: { namespace: "n1" } });
        };
        const { create, update } = zdb({ "resource.create": answer, "resource.update": answer });
        const made = await create(bare("Zdb"));
        expect(made.outputs).not.toHaveProperty("mode");
        const changed = await update(made.id, made.outputs, { ...bare("Zdb"), mode: "user", size: "6GiB" });
        expect(changed.outputs).toMatchObject({ mode: "user", size: "6GiB" });
        expect(changed.outputs).not.toHaveProperty("worm");
        for (const spec of asked) expect(spec).toMatchObject({ mode: "user", worm: false, durability: "interval 1s" });
    });

    it("is read in the form that it has, and what is otherwise on the node besides", async () => {
        const spec = { ...completed("Zdb", { size: "5GiB" }), worm: true };
        const { read } = zdb({
            "resource.read": () => ({ ...report({ spec, outputs: { namespace: "n1" } }), found: true, differingSecrets: [] }),
        });
        const of = async (outputs: Properties) => read(resourceId, { ...outputs, __given: ["password", "port"] });
        const reading = await of(bare("Zdb"));
        if (!reading.found) throw new Error("it is not found");
        expect(reading.inputs).toEqual({ ...bare("Zdb"), worm: true });
        expect(await of(complete)).toMatchObject({ inputs: { ...complete, worm: true } });
    });
});

describe("what the classes compose", () => {
    const answered = { ...report({ spec: complete, outputs: { namespace: "n1" } }), found: true as const, differingSecrets: [] };
    const { create, update, read } = zdb({
        "resource.create": () => answered,
        "resource.update": () => answered,
        "resource.read": () => answered,
    });

    it("is in no state that this release writes", async () => {
        const outcome = await create(bare("Zdb"));
        expect(outcome.outputs).toMatchObject({ host: "127.0.0.1", namespace: "n1" });
        expect(outcome.outputs).not.toHaveProperty("url");
        const changed = await update(resourceId, { ...outcome.outputs, url: "redis://old" }, { ...bare("Zdb"), size: "6GiB" });
        expect(changed.outputs).not.toHaveProperty("url");
    });

    it("stays in the state that a release before has written, and is true there", async () => {
        const reading = await read(resourceId, { ...bare("Zdb"), url: "redis://old", __given: ["password", "port"] });
        const url = `redis://n1:${bare("Zdb").password}@127.0.0.1:${bare("Zdb").port}`;
        expect(reading).toMatchObject({ found: true, outputs: { url } });
        expect(reading.found && reading.inputs).not.toHaveProperty("url");
    });
});

describe("a change", () => {
    const { diff, check } = zdb();
    const outputs = (of: Properties): Properties => ({ ...of, __given: ["password", "port"], namespace: "n1" });

    it("is none where a default is written or no longer, whatever form the state has", () => {
        for (const olds of [complete, bare("Zdb"), { ...bare("Zdb"), mode: "user" }])
            for (const more of [{}, { mode: "user", worm: false }]) {
                const { inputs } = check(olds, { ...written.Zdb, ...more });
                const { changes, replaces } = diff(`${machine}/${tenant}/${life}`, outputs(olds), inputs);
                const isSame = JSON.stringify(Object.entries(olds).sort()) === JSON.stringify(Object.entries(inputs).sort());
                expect({ changes: isSame ? false : changes, replaces }).toEqual({ changes: false, replaces: [] });
            }
    });

    it("is one where the value is another", () => {
        for (const olds of [complete, bare("Zdb")]) {
            const { inputs } = check(olds, { ...written.Zdb, worm: true });
            expect(diff(resourceId, outputs(olds), inputs)).toEqual({ replaces: [], deleteBeforeReplace: false });
            expect(() => diff(resourceId, outputs(olds), check(olds, { ...written.Zdb, mode: "seq" }).inputs)).toThrow("mode");
        }
    });
});
