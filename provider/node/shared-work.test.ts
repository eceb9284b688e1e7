import { describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { SharedWork, Turns, type Work } from "./shared-work.ts";

const endless = (signal: AbortSignal) => new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
const hindrance = new ZeroformError({ code: "SSH_REFUSED", message: "refused", retryable: true });
const timeout = () => new DOMException("late", "TimeoutError");

describe("shared work", () => {
    it("is done once for all who wait, and tells late ones what is being done", async () => {
        const gate = Promise.withResolvers<string>();
        let runs = 0;
        const work = new SharedWork("alpha", (own) => {
            runs += 1;
            own.progress("connecting");
            return gate.promise;
        });
        const said: string[] = [];
        const signal = new AbortController().signal;
        const both = Promise.all([work.join(signal), work.join(signal, { onProgress: (doing) => said.push(doing) })]);
        gate.resolve("done");
        expect(await both).toEqual(["done", "done"]);
        expect({ runs, said }).toEqual({ runs: 1, said: ["connecting"] });
    });

    it("goes on while one of them waits, and ends with the last", async () => {
        let inner: AbortSignal | undefined;
        const work = new SharedWork("alpha", ({ signal }) => {
            inner = signal;
            return endless(signal);
        });
        const [first, second] = [new AbortController(), new AbortController()];
        const waits = [work.join(first.signal), work.join(second.signal)];
        first.abort();
        await expect(waits[0]).rejects.toMatchObject({ code: "CANCELLED" });
        expect(inner?.aborted).toBe(false);
        second.abort(timeout());
        await expect(waits[1]).rejects.toMatchObject({ code: "TIMEOUT", retryable: true });
        expect(work.isAbandoned && inner?.aborted).toBe(true);
    });

    it("tells those who give up what stands in the way", async () => {
        const work = new SharedWork("alpha", ({ signal, hindered }) => {
            hindered(hindrance);
            return endless(signal);
        });
        const [deadline, cancel] = [new AbortController(), new AbortController()];
        const waits = [work.join(deadline.signal), work.join(cancel.signal)];
        deadline.abort(timeout());
        await expect(waits[0]).rejects.toBe(hindrance);
        cancel.abort();
        await expect(waits[1]).rejects.toBe(hindrance);
        await expect(work.join(AbortSignal.abort())).rejects.toBe(hindrance);
    });

    it("tells them what it suspects only while nothing is known to stand in the way", async () => {
        const silence = new ZeroformError({ code: "SSH_TIMEOUT", message: "it has not answered", retryable: true });
        let told: Work | undefined;
        const work = new SharedWork("alpha", (own) => {
            told = own;
            return endless(own.signal);
        });
        const gaveUp = () => expect(work.join(AbortSignal.abort())).rejects;
        told?.suspected(silence);
        await gaveUp().toBe(silence);
        // The next attempt is under way when time runs out: why the one before it failed is what helps.
        told?.hindered(hindrance);
        told?.suspected(silence);
        await gaveUp().toBe(hindrance);
        told?.hindered(undefined);
        await gaveUp().toMatchObject({ code: "CANCELLED" });
    });
});

describe("turns", () => {
    it("follow each other, also after a failure", async () => {
        const turns = new Turns();
        const order: number[] = [];
        const gate = Promise.withResolvers<void>();
        const first = turns.run(async () => {
            await gate.promise;
            order.push(1);
            throw new Error("first");
        });
        const second = turns.run(async () => order.push(2));
        gate.resolve();
        await expect(first).rejects.toThrow("first");
        await second;
        expect(order).toEqual([1, 2]);
    });
});
