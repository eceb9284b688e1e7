import { describe, expect, it } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { formatNodeId, formatResourceId, isLife, mintLife, mintMachineId, mintTenantId, parseNodeId, parseResourceId } from "./ids.ts";
import { agreedProtocol, compareVersions, VERSION } from "./version.ts";

describe("ids", () => {
    it("come back from the Pulumi id", () => {
        const [machine, tenant, life] = [mintMachineId(), mintTenantId(), mintLife()];
        expect(parseNodeId(formatNodeId(machine, tenant))).toEqual({ machine, tenant });
        expect(parseResourceId(formatResourceId(machine, tenant, life))).toEqual({ machine, tenant, life });
    });

    it("are told apart", () => {
        const machine = mintMachineId();
        expect(isLife(machine)).toBe(false);
        for (const wrong of [
            "",
            "x",
            machine,
            `${machine}/${machine}`,
            `${machine}/${mintTenantId()}/`,
            `${machine}/${mintTenantId()}/${mintLife()}/x`,
        ])
            expect(parseNodeId(wrong) ?? parseResourceId(wrong)).toBeUndefined();
    });
});

describe("versions", () => {
    it("is the package's", () => expect(VERSION).toBe(manifest.version));
    it("are ordered by number", () => {
        expect(compareVersions("0.10.0", "0.9.9")).toBe(1);
        expect(compareVersions("1.0.0", "1.0.0")).toBe(0);
        expect(compareVersions("0.1.9", "0.2.0")).toBe(-1);
    });

    it("of the protocol: the newest that both ends speak", () => {
        expect(agreedProtocol([1, 2], [2, 3])).toBe(2);
        expect(agreedProtocol([3, 2, 1], [1, 2])).toBe(2);
        expect(agreedProtocol([4], [2, 3])).toBeUndefined();
    });
});
