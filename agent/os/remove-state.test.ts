import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Bench } from "../../test/agent/fakes/bench.ts";
import { Custody } from "../store/custody.ts";
import { files } from "./files.ts";
import { removeState } from "./remove-state.ts";

describe("the removal of the agent's memory", () => {
    it("can be cut off anywhere: the next agent never takes it for damaged", async () => {
        let finished = false;
        for (let steps = 0; !finished; steps++) {
            await using bench = new Bench();
            await bench.session().nodeOf();
            await bench.agent.stop();
            let left = steps;
            const remove = async (path: string) => {
                if (left-- === 0) throw new Error("the power is gone");
                await files.remove(path);
            };
            finished = await removeState(bench.places, { list: files.list, remove }).then(
                () => true,
                () => false,
            );
            if (finished) expect(readdirSync(bench.directory)).toEqual([]);
            const custody = new Custody(bench.places, bench.fingerprint, bench.clock);
            expect(custody.held.state, `after ${steps} steps`).toBe(steps === 0 || finished ? "ok" : "lost");
            custody.close();
        }
    });
});
