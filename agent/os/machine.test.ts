import { describe, expect, it } from "vitest";
import { fingerprint, machine } from "./machine.ts";

describe("the machine", () => {
    it("tells facts that are the same at every time of asking", async () => {
        const facts = await machine.facts();
        expect(facts).toEqual(await machine.facts());
        expect(facts.arch).toMatch(/^(x86_64|aarch64)$/);
        expect(facts.cores).toBeGreaterThan(0);
        expect(facts.memory).toBeGreaterThan(2 ** 26);
        for (const { name, bytes } of facts.disks) {
            expect(name).not.toMatch(/^(loop|ram|zram)/);
            expect(bytes).toBeGreaterThan(0);
        }
    });

    it("has a fingerprint of ids, where it has ids", () => {
        const { etcMachineId, dmiUuid } = fingerprint();
        if (etcMachineId !== undefined) expect(etcMachineId).toMatch(/^[0-9a-f]{32}$/);
        if (dmiUuid !== undefined) expect(dmiUuid).toMatch(/^[0-9a-f-]{36}$/);
        expect(fingerprint()).toEqual({ ...(etcMachineId ? { etcMachineId } : {}), ...(dmiUuid ? { dmiUuid } : {}) });
    });
});
