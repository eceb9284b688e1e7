import { expect, test } from "vitest";
import { MemoryStore } from "../../test/zstor/memory-store.ts";
import { BoundedBackend } from "./bounded-backend.ts";
import { BACKEND_REQUESTS, OPERATION_MS } from "./limits.ts";

test("a request that waits behind others as long as one may take has failed, and takes nobody's turn", async () => {
    const memory = new MemoryStore();
    const url = "memory://d0";
    const bounded = new BoundedBackend(memory.network.connect(url), memory.clock);
    memory.network.namespace(url).loss = 1;
    const ends: string[] = [];
    const ask = (name: string) =>
        bounded.get(Buffer.from(name)).then(
            () => void ends.push(`${name} done`),
            (error: Error) => void ends.push(`${name} ${error.message}`),
        );
    const first = Array.from({ length: BACKEND_REQUESTS }, (_, index) => ask(`first ${index}`));
    await memory.clock.pass(1);
    const second = ask("second");
    await memory.clock.pass(OPERATION_MS / 2);
    const third = ask("third");
    expect(bounded.load).toEqual({ running: BACKEND_REQUESTS, waiting: 2 });
    await memory.clock.run(Promise.all(first));
    memory.network.namespace(url).loss = 0;
    await memory.clock.run(Promise.all([second, third]));
    expect(ends.filter((end) => end.startsWith("first"))).toHaveLength(BACKEND_REQUESTS);
    expect(bounded.load).toEqual({ running: 0, waiting: 0 });

    // Nobody gives a place back: all that wait behind it are told in time.
    memory.network.namespace(url).loss = 1;
    const hung = new BoundedBackend({ ...memory.network.connect(url), get: () => new Promise(() => undefined) }, memory.clock);
    const holding = Array.from({ length: BACKEND_REQUESTS }, () => hung.get(Buffer.from("a")).catch(() => undefined));
    await memory.clock.pass(OPERATION_MS - 1);
    const late = hung.get(Buffer.from("b"));
    await memory.clock.run(Promise.all(holding));
    await expect(memory.clock.run(late)).rejects.toMatchObject({ failure: "late" });
});
