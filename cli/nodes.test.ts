import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { MachineStatus, TrashStatus } from "../protocol/api.ts";
import { type Life, mintLife, mintTenantId } from "../protocol/ids.ts";
import { type FakeNode, startFakeNode } from "../test/wire/fake-node.ts";
import * as machine from "./machine.ts";
import * as remove from "./remove.ts";
import * as status from "./status.ts";
import * as trash from "./trash.ts";

let node: FakeNode;
let directory = "";
const said: string[] = [];
const tenant = mintTenantId();
const [kept, trashed] = [mintLife(), mintLife()];
const named = (life: Life) => ({ life, kind: "Zdb" as const, urn: "urn:pulumi:dev::t::zeroform:Zdb::events", name: "events", tenant });
const entry: TrashStatus = { ...named(trashed), bytes: 5, removedAt: 0, purgeAt: 1 };

beforeEach(async () => {
    node = await startFakeNode();
    directory = mkdtempSync(join(tmpdir(), "zeroform-cli-"));
    writeFileSync(join(directory, "key"), node.privateKey, { mode: 0o600 });
    vi.spyOn(console, "log").mockImplementation((line: string) => said.push(line));
    node.answers.status = async (): Promise<MachineStatus> => ({
        welcome: { machine: node.machine, protocols: [1], agentVersion: "9.0.0", agentHash: "fake", epoch: 0, store: "ok" },
        facts: { arch: "x86_64", kernel: "6.1.0", cores: 2, memory: 4 * 2 ** 30, disks: [] },
        tenants: [],
        resources: [{ ...named(kept), state: "kept", reasons: [], since: 0, createdAt: 0, confirmed: true, outputs: {} }],
        trash: [entry],
        events: [],
        awaitingRestart: [],
    });
    node.answers["trash.list"] = async () => [entry];
    node.answers["trash.restore"] = async () => ({ into: named(kept) });
    node.answers["machine.claim"] = async () => ({ machine: node.machine });
    node.answers["resource.delete"] = async () => ({});
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
    for (const group of [status, trash, remove, machine]) group.register(program);
    const reach = ["--host", "127.0.0.1", "--port", String(node.port), "--user", "root", "--identity-file", join(directory, "key")];
    return program.parseAsync([...words, ...reach], { from: "user" });
};
/** Whether each conversation with the agent was that of a session, which the node writes down. */
const sessions = () => node.commands.map((command) => /'s[a-z2-9]{16}'/.test(command));

describe("a command that only looks", () => {
    it.each([[["status"]], [["trash", "list"]]])("is an observer: %j", async (words) => {
        await zeroform(...words);
        expect(said.join("\n")).toContain("events");
        expect(sessions()).toEqual([false]);
    });

    it("names the way to be rid of kept data", async () => {
        await zeroform("status");
        expect(said.join("\n")).toContain(`zeroform remove ${kept}`);
    });
});

describe("a command that changes something", () => {
    it("looks for it as an observer, and has a session where it is", async () => {
        await zeroform("trash", "restore", trashed);
        expect(said).toEqual([`127.0.0.1: events has the data of ${trashed} again`]);
        expect(sessions()).toEqual([false, true]);
    });

    it("restores what was kept like what is in the trash", async () => {
        await zeroform("trash", "restore", kept);
        expect(node.calls.find(({ method }) => method === "trash.restore")?.params).toEqual({ life: kept });
    });

    it("changes nothing when it is not there", async () => {
        const absent = { code: "LIFE_UNKNOWN" };
        await expect(zeroform("trash", "restore", mintLife())).rejects.toMatchObject(absent);
        await expect(zeroform("remove", trashed)).rejects.toMatchObject(absent);
        expect(sessions()).toEqual([false, false]);
    });

    it("says what a machine is", async () => {
        await zeroform("machine", "same");
        expect(said).toEqual([`127.0.0.1 is machine ${node.machine}`]);
        expect(sessions()).toEqual([true]);
    });
});

describe("zeroform remove", () => {
    const deletion = () => node.calls.find(({ method }) => method === "resource.delete")?.params;

    it("puts the data into the trash for a day", async () => {
        await zeroform("remove", kept);
        const caller = { machine: node.machine, tenant, seen: [] };
        expect(deletion()).toEqual({ caller, life: kept, onRemove: "delete", trashMs: 86_400_000, waitMs: 300_000 });
        expect(said).toEqual([`127.0.0.1: Zdb "events" is removed; its data wait 1d in the trash (zeroform trash restore ${kept})`]);
    });

    it("deletes them at once when that is asked for", async () => {
        await expect(zeroform("remove", kept, "--purge")).rejects.toMatchObject({
            message: expect.stringContaining('Zdb "events" of stack dev (project t)'),
            hint: expect.stringContaining("--yes"),
        });
        expect(deletion()).toBeUndefined();
        await zeroform("remove", kept, "--purge", "--yes");
        expect(deletion()).toMatchObject({ trashMs: 0 });
        expect(said[0]).toContain("its data are deleted");
    });

    it("takes nothing without a question that a stack elsewhere may have", async () => {
        const { status } = node.answers;
        node.answers.status = async (params, call) => {
            const said = await status?.(params, call);
            if (!said) throw new Error("the fake node says nothing");
            return { ...said, resources: said.resources.map((each) => ({ ...each, state: "ready" as const })) };
        };
        await expect(zeroform("remove", kept)).rejects.toMatchObject({ hint: expect.stringContaining("--yes") });
        expect(deletion()).toBeUndefined();
        await zeroform("remove", kept, "--yes");
        expect(deletion()).toMatchObject({ life: kept, trashMs: 86_400_000 });
    });

    it("takes lives only", async () => {
        await expect(zeroform("remove", "events")).rejects.toMatchObject({ code: "commander.invalidArgument" });
        expect(node.commands).toEqual([]);
    });
});
