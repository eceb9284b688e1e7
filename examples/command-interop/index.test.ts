import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import ts from "typescript";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const connection = { host: "10.0.0.11", port: 22, user: "root", hostKey: "ssh-ed25519 AAAA" };

it("passes the checks of the type checker, as a user's program does", { timeout: 120_000 }, () => {
    const program = ts.createProgram([join(import.meta.dirname, "index.ts")], {
        module: ts.ModuleKind.NodeNext,
        moduleResolution: ts.ModuleResolutionKind.NodeNext,
        target: ts.ScriptTarget.ES2022,
        types: ["node"],
        strict: true,
        skipLibCheck: true,
        noEmit: true,
        allowImportingTsExtensions: true,
        paths: { zeroform: [join(ROOT, "sdk/index.ts")] },
    });
    const complaints = ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
    expect(complaints).toEqual([]);
});

it("gives the command the connection of its node", async () => {
    const registered = new Map<string, Record<string, unknown>>();
    await pulumi.runtime.setMocks({
        newResource: ({ type, name, inputs }) => {
            registered.set(type, inputs);
            return { id: name, state: { ...inputs, connection, stdout: "2026-01-01 00:00:00" } };
        },
        call: () => ({}),
    });
    pulumi.runtime.setAllConfig({ "project:host": "10.0.0.11" });
    const { upSince } = await import("./index.ts");
    expect(await new Promise((resolve) => upSince.apply(resolve))).toBe("2026-01-01 00:00:00");
    expect(registered.get("pulumi-nodejs:dynamic/zeroform:Node")).toMatchObject({ host: "10.0.0.11" });
    expect(registered.get("command:remote:Command")).toMatchObject({ connection });
});
