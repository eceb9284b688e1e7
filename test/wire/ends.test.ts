import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { startEngineLog } from "./engine-log.ts";
import { startProvider } from "./provider-process.ts";
import { make, nodeInputs, onNode, startRun, urnOf } from "./run.ts";

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const started = async () => {
    const run = await startRun();
    cleanups.push(run.stop);
    return run;
};

/** Milliseconds until the process has ended. */
const timeToEnd = async (ended: Promise<unknown>): Promise<number> => {
    const from = performance.now();
    await ended;
    return performance.now() - from;
};

describe("a provider process", () => {
    it("ends within five seconds when its engine is gone, and confirms nothing", async () => {
        const run = await started();
        await make(run, "Node", nodeInputs(run));
        run.engine.stop();
        expect(await timeToEnd(run.provider.ended)).toBeLessThan(5_000);
        expect(run.node.calls.map(({ method }) => method)).not.toContain("session.end");
    });

    it("ends within five seconds when what started its shell is gone", async () => {
        const engine = await startEngineLog();
        cleanups.push(engine.stop);
        const provider = await startProvider({ engine: engine.address, shell: true });
        cleanups.push(provider.stop);
        await provider.check("Node", {}, { host: "10.0.0.11" });
        const shell = provider.child.pid ?? 0;
        const [host] = readFileSync(`/proc/${shell}/task/${shell}/children`, "utf8").trim().split(" ").map(Number);
        provider.child.kill("SIGKILL");
        const isThere = () => {
            try {
                process.kill(host ?? 0, 0);
                return true;
            } catch {
                return false;
            }
        };
        await expect.poll(isThere, { timeout: 5_000, interval: 100 }).toBe(false);
    });

    it("does not try again for an engine that is gone", async () => {
        const run = await started();
        const { id } = await make(run, "Node", nodeInputs(run));
        const { inputs } = await run.provider.check("ZMount", {}, onNode(run, id, "ZMount", "disk", { size: "20GiB" }));
        run.node.answers["resource.create"] = () => {
            run.engine.stop();
            return Promise.reject(new ZeroformError({ code: "BUSY", message: "busy", retryable: true }));
        };
        await expect(run.provider.create("ZMount", inputs)).rejects.toThrow();
        await run.provider.ended;
        expect(run.node.calls.filter(({ method }) => method === "resource.create")).toHaveLength(1);
    });

    it("ends in order on SIGINT: what was answered is confirmed, what is in flight is not", async () => {
        const run = await started();
        const { id } = await make(run, "Node", nodeInputs(run));
        const disk = await make(run, "ZMount", onNode(run, id, "ZMount", "disk", { size: "20GiB" }));
        const { inputs } = await run.provider.check("ZMount", {}, onNode(run, id, "ZMount", "slow", { size: "20GiB" }));
        const begun = Promise.withResolvers<void>();
        run.node.answers["resource.create"] = () => {
            begun.resolve();
            return new Promise(() => undefined);
        };
        run.provider.create("ZMount", inputs).catch(() => undefined);
        await begun.promise;
        run.provider.child.kill("SIGINT");
        expect(await timeToEnd(run.provider.ended)).toBeLessThan(2_500);
        const tenant = id.split("/")[1];
        const life = disk.id.split("/")[2];
        expect(run.node.calls.at(-1)).toEqual({ method: "session.end", params: { confirmed: [tenant, life] } });
    });

    it("waits two seconds at most for a node that does not answer the goodbye", async () => {
        const run = await started();
        await make(run, "Node", nodeInputs(run));
        run.node.answers["session.end"] = () => new Promise(() => undefined);
        run.provider.child.kill("SIGINT");
        expect(await timeToEnd(run.provider.ended)).toBeLessThan(3_000);
    });

    it("confirms nothing when somebody else than the engine ends it", async () => {
        const run = await started();
        await make(run, "Node", nodeInputs(run));
        run.provider.child.kill("SIGTERM");
        expect(await timeToEnd(run.provider.ended)).toBeLessThan(1_000);
        expect(run.node.calls.map(({ method }) => method)).not.toContain("session.end");
    });

    it("ends at once when it has spoken to no node", async () => {
        const run = await started();
        await run.provider.check("Node", {}, { host: "10.0.0.11", __urn: urnOf("Node", "alpha") });
        run.provider.child.kill("SIGINT");
        expect(await timeToEnd(run.provider.ended)).toBeLessThan(1_000);
        expect(await run.provider.ended).toBe(0);
    });
});
