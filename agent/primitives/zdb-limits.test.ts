import { describe, expect, it } from "vitest";
import { lacking, limitsText, merged, parseLimits, unkept } from "./zdb-limits.ts";

describe("limits of a server that several share", () => {
    it("are of each kind the largest that is asked for, and none where nobody asks", () => {
        expect(merged([{ memory: "1GiB", cpu: 0.5 }, undefined, { memory: "512MiB", cpu: 2 }, { ioWeight: 7 }, {}])).toEqual({
            memory: 2 ** 30,
            cpu: 200,
            ioWeight: 7,
        });
        expect(merged([undefined, {}])).toEqual({});
        expect(merged([])).toEqual({});
    });

    it("are said to systemd, and found again", () => {
        const amounts = merged([{ memory: "100MiB", cpu: 0.29, ioWeight: 10_000 }]);
        const text = limitsText(amounts);
        expect(text).toBe("[Service]\nMemoryHigh=83886080\nMemoryMax=104857600\nCPUQuota=29%\nIOWeight=10000\n");
        expect(parseLimits(text)).toEqual(amounts);
        expect(limitsText(merged([{ cpu: 1 }]))).toBe("[Service]\nCPUQuota=100%\n");
        expect(limitsText({})).toBeUndefined();
        expect(parseLimits(undefined)).toEqual({});
        expect(parseLimits("[Service]\nMemoryMax=infinity\n")).toEqual({});
    });

    it("lack where there is less than one asks for, or nothing", () => {
        expect(lacking(undefined, {})).toBeUndefined();
        expect(lacking({ cpu: 1 }, { cpu: 150 })).toBeUndefined();
        expect(lacking({ cpu: 1 }, { cpu: 50 })).toBe("it asks for cpu 1, and its server has cpu 0.5");
        expect(lacking({ memory: "64MiB" }, { cpu: 50 })).toBe("it asks for memory 64MiB, and its server has no such limit");
    });

    it("are not kept by a machine without the controllers that these need, and only these", () => {
        expect(unkept({ memory: "64MiB" }, ["memory"])).toEqual([]);
        expect(unkept(undefined, [])).toEqual([]);
        expect(unkept({}, [])).toEqual([]);
        expect(unkept({ memory: "64MiB", cpu: 1, ioWeight: 1 }, ["cpu"])).toEqual([
            "this machine has no cgroup v2 controller for memory, io, so it does not keep limits.memory and limits.ioWeight",
        ]);
    });
});
