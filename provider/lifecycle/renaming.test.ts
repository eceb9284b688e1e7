import { describe, expect, it } from "vitest";
import { fakeMachine, fakeSurroundings } from "./fake-surroundings.ts";
import { lifecycle } from "./lifecycle.ts";
import { checked, life, machine, nodeId, resourceId, tenant, urnOf } from "./sample.ts";

const HOST = "10.0.0.11";
const given = (kind: "Node" | "ZMount") => ({ ...checked(kind), hostKey: "ssh-ed25519 AAAA", __given: Object.keys(checked(kind)) });

describe("a rename", () => {
    it("is told to the node, of a resource and of a Node, and changes nothing else", async () => {
        const { surroundings, calls } = fakeSurroundings({ [HOST]: fakeMachine({ "tenant.rename": () => ({}) }) });
        const [mount, node] = [urnOf("ZMount", "store"), urnOf("Node", "beta")];
        const { outputs } = await lifecycle("ZMount", surroundings).update(
            resourceId,
            given("ZMount"),
            checked("ZMount", { __urn: mount }),
        );
        await lifecycle("Node", surroundings).update(nodeId, given("Node"), checked("Node", { __urn: node }));
        expect(outputs.__urn).toBe(mount);
        const caller = { machine, tenant, seen: [] };
        expect(calls).toEqual([
            { method: "tenant.rename", params: { caller, life, urn: mount } },
            { method: "tenant.rename", params: { caller, urn: node } },
        ]);
    });

    it("succeeds on a node that cannot be reached, and says that it was not told", async () => {
        const { surroundings, said, now } = fakeSurroundings({});
        const urn = urnOf("ZMount", "store");
        const { outputs } = await lifecycle("ZMount", surroundings).update(resourceId, given("ZMount"), checked("ZMount", { __urn: urn }));
        expect(outputs.__urn).toBe(urn);
        expect(said.at(-1)).toContain(`${HOST} was not told the new name store`);
        expect(now()).toBeLessThan(20_000);
    });
});
