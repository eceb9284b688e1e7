import { describe, expect, it } from "vitest";
import { type ErrorCode, ZeroformError } from "../../protocol/errors.ts";
import { type FakeMachine, fakeMachine, fakeSurroundings } from "./fake-surroundings.ts";
import { lifecycle } from "./lifecycle.ts";
import { checked, life, nodeId, resourceId, tenant, urnOf } from "./sample.ts";

const HOST = "10.0.0.11";
const outputs = checked("ZMount");
const nodeOutputs = { ...checked("Node"), hostKey: "ssh-ed25519 AAAA" };

const failing = (code: "LIFE_UNKNOWN" | "TENANT_UNKNOWN" | "IN_USE") => () => {
    throw new ZeroformError({ code, message: `it is ${code}` });
};
const unlinked = (code: ErrorCode): FakeMachine => ({ ...fakeMachine(), failure: new ZeroformError({ code, message: `it is ${code}` }) });
const setUp = (machines: Record<string, FakeMachine>, onUnreachable?: string) => {
    const around = fakeSurroundings(machines, onUnreachable);
    return { ...around, zmount: lifecycle("ZMount", around.surroundings), node: lifecycle("Node", around.surroundings) };
};

describe("delete", () => {
    it("asks for it with the data's fate and the trash time of the Node", async () => {
        const { zmount, calls } = setUp({ [HOST]: fakeMachine({ "resource.delete": () => ({}) }) });
        await zmount.delete(resourceId, { ...outputs, onRemove: "keep", connection: { host: HOST, trash: "0s" } });
        expect(calls[0]?.params).toMatchObject({ life, onRemove: "keep", trashMs: 0, waitMs: 297_000 });
    });

    it("has succeeded when it is absent", async () => {
        for (const code of ["LIFE_UNKNOWN", "TENANT_UNKNOWN"] as const) {
            const { zmount } = setUp({ [HOST]: fakeMachine({ "resource.delete": failing(code) }) });
            await zmount.delete(resourceId, outputs);
        }
    });

    it("fails with the agent's word", async () => {
        const { zmount } = setUp({ [HOST]: fakeMachine({ "resource.delete": failing("IN_USE") }) }, "abandon");
        await expect(zmount.delete(resourceId, outputs)).rejects.toMatchObject({ code: "IN_USE", kind: "ZMount", resource: "disk" });
    });

    it("of a Node names what stays", async () => {
        const urn = urnOf("ZMount", "kept");
        const kept = setUp({ [HOST]: fakeMachine({ "node.delete": () => ({ kept: [{ life, kind: "ZMount", urn }], agent: "stays" }) }) });
        await kept.node.delete(nodeId, nodeOutputs);
        expect(kept.calls[0]?.params).toMatchObject({ caller: { tenant }, trashMs: 86_400_000 });
        expect(kept.warned[0]).toContain(`ZMount "kept" (${life})`);
        expect(kept.warned[0]).toContain(`zeroform remove <life> --host ${HOST}`);
    });
});

describe("a node that cannot be reached", () => {
    it("fails the removal after its deadline, and names the way out", async () => {
        const { zmount, now } = setUp({});
        const error = await zmount.delete(resourceId, { ...outputs, timeouts: { delete: "30s" } }).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: "SSH_REFUSED", node: HOST });
        expect((error as ZeroformError).sentence()).toContain("ZEROFORM_ON_UNREACHABLE=abandon");
        expect(now()).toBe(30_000);
    });

    it("fails the removal after a minute when nothing else is asked for", async () => {
        const { zmount, now } = setUp({});
        const error = await zmount.delete(resourceId, outputs).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: "SSH_REFUSED", message: `${HOST} refused SSH (tried for 1m)` });
        expect((error as ZeroformError).sentence()).toMatch(/timeouts\.delete.*ZEROFORM_ON_UNREACHABLE=abandon/);
        expect(now()).toBe(60_000);
    });

    it("was reached in the beginning, and is waited for to the end", async () => {
        const around = setUp({
            [HOST]: fakeMachine({
                "resource.delete": () => {
                    delete around.machines[HOST];
                    throw new ZeroformError({ code: "SSH_LOST", message: "lost", retryable: true });
                },
            }),
        });
        await expect(around.zmount.delete(resourceId, outputs)).rejects.toMatchObject({ code: "SSH_REFUSED" });
        expect(around.now()).toBeGreaterThanOrEqual(299_000);
    });

    it("has a damaged store, and can be abandoned", async () => {
        const corrupt = () => Promise.reject(new ZeroformError({ code: "STORE_CORRUPT", message: "its store is damaged" }));
        const { zmount, warned } = setUp({ [HOST]: fakeMachine({ "resource.delete": corrupt }) }, "abandon");
        await zmount.delete(resourceId, outputs);
        expect(warned[0]).toContain("its store is damaged");
    });

    it.each(["SSH_AUTH", "SSH_CONFIG", "NAME_UNKNOWN"] as const)(
        "is not abandoned by the program for %s, only by whoever runs it",
        async (code) => {
            const abandonable = { ...outputs, connection: { host: HOST, onUnreachable: "abandon" } };
            const error = await setUp({ [HOST]: unlinked(code) })
                .zmount.delete(resourceId, abandonable)
                .catch((thrown: unknown) => thrown);
            expect(error).toMatchObject({ code, hint: expect.stringContaining("ZEROFORM_ON_UNREACHABLE=abandon") });
            const { zmount, warned } = setUp({ [HOST]: unlinked(code) }, "abandon");
            await zmount.delete(resourceId, outputs);
            expect(warned).toHaveLength(1);
        },
    );

    it.each([
        ["by the Node's word", "abandon", undefined, true],
        ["by the environment's word", "fail", "abandon", true],
        ["not against the environment's word", "abandon", "fail", false],
    ] as const)("is abandoned %s, after a little patience and with a warning", async (_, onUnreachable, environment, abandoned) => {
        const { zmount, warned, now } = setUp({}, environment);
        const removal = zmount.delete(resourceId, { ...outputs, connection: { host: HOST, onUnreachable } });
        if (!abandoned) return expect(removal).rejects.toMatchObject({ code: "SSH_REFUSED" });
        await removal;
        expect(warned).toEqual([`abandoned on ${HOST}, where it may still be: ${HOST} refused SSH.`]);
        expect(now()).toBe(20_000);
        await zmount.delete(resourceId, { ...outputs, connection: { host: HOST, onUnreachable } });
        expect(now()).toBe(23_000);
    });

    it("is not abandoned by a word that means nothing", async () => {
        const { zmount } = setUp({}, "yes");
        await expect(zmount.delete(resourceId, outputs)).rejects.toMatchObject({ code: "INVALID" });
    });
});

describe("a machine without a trace of an agent", () => {
    it("is another machine than the one this was made on, never an answer", async () => {
        const { zmount, node } = setUp({ [HOST]: unlinked("AGENT_GONE") });
        for (const asked of [zmount.read(resourceId, outputs), zmount.delete(resourceId, outputs), node.read(nodeId, nodeOutputs)])
            await expect(asked).rejects.toMatchObject({ code: "MACHINE_CHANGED" });
    });

    it("is no answer either where files of an agent are", async () => {
        const { zmount } = setUp({ [HOST]: unlinked("AGENT_MISSING") });
        await expect(zmount.read(resourceId, outputs)).rejects.toMatchObject({ code: "AGENT_MISSING" });
    });
});
