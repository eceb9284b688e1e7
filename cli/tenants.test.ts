import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Holdings, TrashStatus } from "../protocol/api.ts";
import { mintLife, mintTenantId } from "../protocol/ids.ts";
import { type FakeNode, startFakeNode } from "../test/wire/fake-node.ts";
import * as evict from "./evict.ts";
import * as tenants from "./tenants.ts";
import * as trash from "./trash.ts";

const DAY_MS = 86_400_000;

let node: FakeNode;
let directory = "";
const said: string[] = [];
const [tenant, old, fresh] = [mintTenantId(), mintLife(), mintLife()];

const holdings = (): Holdings => ({
    tenant,
    urn: "urn:pulumi:dev::shop::pulumi-nodejs:dynamic/zeroform:Node::alpha",
    confirmed: true,
    deleted: false,
    createdAt: Date.now() - 9 * DAY_MS,
    seenAt: Date.now() - 2 * DAY_MS,
    active: false,
    resources: [{ kind: "Zdb", count: 2 }],
    unconfirmed: 1,
    kept: 0,
    bytes: 2 ** 30,
    trash: { count: 1, bytes: 2 ** 20 },
});
const piece = (life: typeof old, days: number): TrashStatus => ({
    life,
    kind: "Zdb",
    urn: "urn:pulumi:dev::shop::zeroform:Zdb::events",
    name: "events",
    tenant,
    bytes: 2 ** 20,
    removedAt: Date.now() - days * DAY_MS,
    purgeAt: Date.now() + DAY_MS,
});

beforeEach(async () => {
    node = await startFakeNode();
    directory = mkdtempSync(join(tmpdir(), "zeroform-cli-"));
    writeFileSync(join(directory, "key"), node.privateKey, { mode: 0o600 });
    const hear = (line: string) => void said.push(line);
    vi.spyOn(console, "log").mockImplementation(hear);
    vi.spyOn(console, "error").mockImplementation(hear);
    node.answers["tenant.list"] = async () => [holdings()];
    node.answers["tenant.evict"] = async () => ({ removed: [], agent: "stays" });
    node.answers["trash.list"] = async () => [piece(old, 5), piece(fresh, 1)];
    node.answers["trash.purge"] = async ({ lives }) => ({ pieces: lives.map((life) => ({ ...piece(life, 1), bytes: 2 ** 20 })) });
});
afterEach(async () => {
    vi.restoreAllMocks();
    said.length = 0;
    process.exitCode = undefined;
    await node.stop();
    rmSync(directory, { recursive: true, force: true });
});

const reach = () => ["--port", String(node.port), "--user", "root", "--identity-file", join(directory, "key")];
const zeroform = (...words: string[]) => {
    const program = new Command("zeroform").exitOverride();
    for (const group of [tenants, evict, trash]) group.register(program);
    return program.parseAsync([...words, ...reach()], { from: "user" });
};
const asked = (method: string) => node.calls.filter((call) => call.method === method).map(({ params }) => params);

describe("zeroform tenants", () => {
    it("shows in words who owns what", async () => {
        await zeroform("tenants", "127.0.0.1");
        expect(said.join("\n").split("\n").at(-1)?.split(/ {2,}/)).toEqual([
            "127.0.0.1",
            "dev",
            "shop",
            "alpha",
            "2 Zdb",
            "1GiB",
            "1 (1MiB)",
            "2d ago",
            tenant,
            "1 unconfirmed",
        ]);
    });

    it("is for programs too", async () => {
        await zeroform("tenants", "--host", "127.0.0.1", "--json");
        expect(JSON.parse(said[0] ?? "")).toMatchObject([
            { node: "127.0.0.1", tenants: [{ tenant, stack: "dev", project: "shop", name: "alpha" }] },
        ]);
    });
});

describe("what a machine has that was not reached", () => {
    it.each([[["tenants"]], [["trash", "list"]]])("is not said to be nothing: %j", async (words) => {
        const program = new Command("zeroform").exitOverride();
        for (const group of [tenants, trash]) group.register(program);
        await program.parseAsync([...words, "--host", "127.0.0.1", "--identity-file", join(directory, "none")], { from: "user" });
        expect(said).toEqual([expect.stringMatching(/^127\.0\.0\.1 was not reached: .*there is no such file/)]);
        expect(process.exitCode).toBe(1);
    });
});

describe("zeroform evict", () => {
    it("does nothing without somebody who says so", async () => {
        await expect(zeroform("evict", tenant, "--host", "127.0.0.1")).rejects.toMatchObject({
            code: "INVALID",
            message: expect.stringContaining('Node "alpha" of stack dev'),
            hint: expect.stringContaining("--yes"),
        });
        expect(asked("tenant.evict")).toEqual([]);
    });

    it("leaves the data in the trash for a day, or not at all", async () => {
        await zeroform("evict", tenant, "--host", "127.0.0.1", "--yes");
        await zeroform("evict", tenant, "--host", "127.0.0.1", "--yes", "--purge");
        expect(asked("tenant.evict")).toMatchObject([
            { machine: node.machine, tenant, trashMs: DAY_MS },
            { machine: node.machine, tenant, trashMs: 0 },
        ]);
        expect(asked("trash.purge")).toEqual([{ lives: [old, fresh] }]);
    });

    it("says which data it could not delete", async () => {
        const failure = { code: "NOT_READY", message: "its pool is away" } as const;
        node.answers["trash.purge"] = async () => ({ pieces: [{ ...piece(old, 5), bytes: 0, failure }] });
        await zeroform("evict", tenant, "--host", "127.0.0.1", "--yes", "--purge");
        expect(said[0]).toContain("are still there: its pool is away");
        expect(said[1]).toContain("some of its data are in the trash (zeroform trash list --host 127.0.0.1)");
        expect(process.exitCode).toBe(1);
    });

    it.each([
        ["a machine has to be named", [tenant], "--host"],
        ["a tenant is an id", ["alpha", "--host", "127.0.0.1"], "zeroform tenants"],
        ["it has to be there", [mintTenantId(), "--host", "127.0.0.1"], "zeroform tenants"],
    ])("%s", async (_, words, hint) => {
        await expect(zeroform("evict", ...words, "--yes")).rejects.toMatchObject({ hint: expect.stringContaining(hint) });
        expect(asked("tenant.evict")).toEqual([]);
    });
});

describe("zeroform trash purge", () => {
    const purge = (...words: string[]) => zeroform("trash", "purge", ...words, "--host", "127.0.0.1");

    it.each([
        ["what is named", () => [fresh], () => [fresh]],
        ["what is old", () => ["--older-than", "3d"], () => [old]],
        ["everything", () => ["--all"], () => [old, fresh]],
    ])("deletes %s, and says what is free again", async (_, words, lives) => {
        await purge(...words(), "--yes");
        expect(asked("trash.purge")).toEqual([{ lives: lives() }]);
        expect(said).toEqual([`127.0.0.1: ${lives().length} of ${lives().length} purged, ${lives().length}MiB freed`]);
    });

    it.each([
        ["nothing that was not named", () => [], "--all"],
        ["nothing in half a sentence", () => ["--older-than", "soon"], "--older-than"],
        ["nothing of two meanings", () => [old, "--all"], "Give one"],
        ["nothing that is not in the trash", () => [mintLife()], "trash list"],
    ])("deletes %s", async (_, words, hint) => {
        await expect(purge(...words(), "--yes")).rejects.toMatchObject({ hint: expect.stringContaining(hint) });
        expect(asked("trash.purge")).toEqual([]);
    });

    it("asks first", async () => {
        await expect(purge("--all")).rejects.toMatchObject({
            message: expect.stringContaining("2MiB"),
            hint: expect.stringContaining("--yes"),
        });
        expect(asked("trash.purge")).toEqual([]);
    });

    it("says what could not be deleted, and fails", async () => {
        const failure = { code: "NOT_READY", message: "its pool is away" } as const;
        node.answers["trash.purge"] = async () => ({ pieces: [{ ...piece(old, 5), bytes: 0, failure }] });
        await purge(old, "--yes");
        expect(said[0]).toContain("are still there: its pool is away");
        expect(process.exitCode).toBe(1);
    });
});
