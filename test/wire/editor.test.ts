import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { beforeAll, describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
/** A program of a user who has the package installed: what it knows of zeroform is the compiled declarations. */
const PROGRAM = join(import.meta.dirname, "program.ts");
const SOURCE = `
import { Node, Zdb, ZMount } from "zeroform";
const alpha = new Node("alpha", { host: "10.0.0.11", trash: "2d", timeouts: { create: "1m" } });
const disk = new ZMount("disk", { node: alpha, size: "20GiB", onRemove: "keep" });
const db = new Zdb("events", { mount: disk, size: "5GiB", password: "given-password" });
export const shown = [disk.path, db.url, db.listen, db.replaceData, alpha.hostKey];
`;

describe("what an editor shows of the package", { timeout: 120_000 }, () => {
    let service: ts.LanguageService;
    beforeAll(() => {
        if (!existsSync(join(ROOT, "dist/sdk/index.d.ts"))) throw new Error("dist/ is not built: run `npm run build` first.");
        const read = (file: string) => (file === PROGRAM ? SOURCE : readFileSync(file, "utf8"));
        service = ts.createLanguageService({
            getCompilationSettings: () => ({
                module: ts.ModuleKind.NodeNext,
                moduleResolution: ts.ModuleResolutionKind.NodeNext,
                target: ts.ScriptTarget.ES2022,
                types: ["node"],
                strict: true,
                skipLibCheck: true,
                noEmit: true,
                allowImportingTsExtensions: true,
            }),
            getScriptFileNames: () => [PROGRAM],
            getScriptVersion: () => "1",
            getScriptSnapshot: (file) => (file === PROGRAM || existsSync(file) ? ts.ScriptSnapshot.fromString(read(file)) : undefined),
            getCurrentDirectory: () => ROOT,
            getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
            fileExists: (file) => file === PROGRAM || ts.sys.fileExists(file),
            readFile: read,
            directoryExists: ts.sys.directoryExists,
            realpath: (file) => ts.sys.realpath?.(file) ?? file,
        });
    }, 120_000);

    const shownAt = (text: string): string => {
        const at = SOURCE.indexOf(text);
        const info = service.getQuickInfoAtPosition(PROGRAM, at + text.length - 1);
        return ts.displayPartsToString(info?.documentation);
    };

    it("has nothing to complain about", () => {
        const complaints = service
            .getSemanticDiagnostics(PROGRAM)
            .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
        expect(complaints).toEqual([]);
    });

    it.each([
        ["an argument of its own", "size", /^Space, reserved when the mount is made/],
        ["an argument that all on a node have", "timeouts", /^How long an operation may take/],
        ["an argument that all with data have", "onRemove", /^What happens to the data/],
        ["a secret argument", "password", /^What clients authenticate with/],
        ["a reference", "{ mount", /^The ZMount that holds its data/],
        ["an output", "disk.path", /^Where it is mounted/],
        ["a secret output", "db.url", /redis:\/\//],
        ["an input mirrored", "db.listen", /^IP address of the node/],
        ["an input mirrored that several have", "db.replaceData", /^Allow a change that replaces/],
        ["a generated input", "alpha.hostKey", /^The machine's SSH host key/],
    ])("explains %s", (_, text, words) => {
        expect(shownAt(text)).toMatch(words);
    });
});
