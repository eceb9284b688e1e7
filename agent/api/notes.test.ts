import { describe, expect, it } from "vitest";
import { Bench } from "../../test/agent/fakes/bench.ts";

const NOTE = "this machine does not keep limits.memory";

describe("what somebody should know of a resource that is ready", () => {
    it("is in the answer, in the status and an event, once each time that work on it ends", async () => {
        await using bench = new Bench();
        bench.node.notes.set("db", NOTE);
        const session = bench.session();
        await session.nodeOf();
        const disk = await session.create("ZMount", "disk");
        const db = await session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } });
        expect(db).toMatchObject({ state: "ready", reasons: [], notes: [NOTE] });
        expect(disk).not.toHaveProperty("notes");
        const told = () => bench.store.events.latest(50).filter(({ what }) => what === "note");
        const event = { name: "db", life: db.life, what: "note", detail: `Zdb: ${NOTE}` };
        expect(told()).toMatchObject([event]);
        await bench.clock.advance(60_000);
        expect(told()).toHaveLength(1);
        expect((await session.ask("status", {})).resources.find(({ name }) => name === "db")).toMatchObject({
            state: "ready",
            notes: [NOTE],
        });
        bench.node.notes.delete("db");
        await bench.clock.advance(60_000);
        expect((await session.ask("status", {})).resources.find(({ name }) => name === "db")).not.toHaveProperty("notes");
    });
});
