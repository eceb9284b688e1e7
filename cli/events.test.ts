import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AgentEvent } from "../protocol/api.ts";
import { ZeroformError } from "../protocol/errors.ts";
import { type FakeNode, startFakeNode } from "../test/wire/fake-node.ts";
import * as events from "./events.ts";

let node: FakeNode;
let directory = "";
const said: string[] = [];
const event = (id: number): AgentEvent => ({ id, at: id, what: "made", name: "disk", detail: `event ${id}` });

beforeEach(async () => {
    node = await startFakeNode();
    directory = mkdtempSync(join(tmpdir(), "zeroform-cli-"));
    writeFileSync(join(directory, "key"), node.privateKey, { mode: 0o600 });
    const hear = (line: string) => void said.push(line);
    vi.spyOn(console, "log").mockImplementation(hear);
    vi.spyOn(console, "error").mockImplementation(hear);
    vi.spyOn(process.stdout, "write").mockImplementation((text) => Boolean(said.push(String(text))));
});
afterEach(async () => {
    vi.restoreAllMocks();
    said.length = 0;
    process.exitCode = undefined;
    await node.stop();
    rmSync(directory, { recursive: true, force: true });
});

const zeroform = (...words: string[]) => {
    const program = new Command("zeroform").exitOverride();
    events.register(program);
    const reach = ["--host", "127.0.0.1", "--port", String(node.port), "--user", "root", "--identity-file", join(directory, "key")];
    return program.parseAsync(["events", ...words, ...reach], { from: "user" });
};

describe("zeroform events", () => {
    it("says of what there are none", async () => {
        node.answers.events = async () => [];
        await zeroform("disc");
        expect(said).toEqual(['no events of "disc"']);
    });

    it("shows the latest of a node that was away when it began to follow, and not all that it has", async () => {
        const asked: unknown[] = [];
        node.answers.events = async (params) => {
            if (asked.push(params) === 1) return [event(7)];
            throw new ZeroformError({ code: "INVALID", message: "that is enough" });
        };
        renameSync(join(directory, "key"), join(directory, "away"));
        const following = zeroform("--follow", "--lines", "3");
        await vi.waitFor(() => expect(said.join("")).toContain("was not reached"));
        renameSync(join(directory, "away"), join(directory, "key"));
        await following;
        expect(asked).toEqual([{ latest: 3 }, { after: 7, waitMs: expect.any(Number) }]);
        expect(said.filter((line) => line.includes("event 7"))).toHaveLength(1);
    });
});
