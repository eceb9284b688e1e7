import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";

/**
 * Which way imports may point, by room (design §3). A room may always import from itself. A target is a directory, or for engines their
 * entry files: what one engine shows to others. Tests, benchmarks and examples are free.
 */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
    schema: [],
    protocol: ["schema"],
    sdk: ["schema", "protocol"],
    provider: ["protocol", "schema"],
    agent: ["protocol", "schema"],
    engines: [],
    cli: ["provider/node", "provider/lifecycle", "protocol", "dev", "schema"],
    dev: [],
};

/** Doors in addition to those of the file's room. */
const DOORS: readonly { readonly from: RegExp; readonly to: RegExp; readonly words: string }[] = [
    { from: /^agent\/main\.ts$/, to: /^engines\/[^/]+\/(main|index)\.ts$/, words: "engines' entry files" },
    { from: /^engines\//, to: /^engines\/[^/]+\/(main|index)\.ts$/, words: "other engines' entry files" },
    // A state that was lost is made again as the provider would make it.
    { from: /^cli\//, to: /^provider\/dynamic\/(clock|seal)\.ts$/, words: "provider/dynamic's clock and seal" },
];

/** The only places that call the kernel, other programs and what only Bun has. */
const SEAM = /^(agent\/os\/|engines\/[^/]+\/seam|cli\/|dev\/)/;

/** Packages that are for some places only. */
const PACKAGES: readonly { readonly what: RegExp; readonly where: RegExp; readonly words: string }[] = [
    { what: /^(bun|bun:.*|node:ffi)$/, where: SEAM, words: "agent/os and an engine's seam" },
    // The frontend asks `ps` about the engine that started it, where there is no /proc; npm knows the user's registry; a ProxyCommand is one.
    {
        what: /^(node:)?child_process$/,
        where: new RegExp(`${SEAM.source}|^provider/dynamic/|^provider/node/(npm-tarball|proxy-command)\\.ts$`),
        words: "agent/os, an engine's seam, provider/dynamic, provider/node/npm-tarball.ts and provider/node/proxy-command.ts",
    },
    { what: /^@pulumi\//, where: /^(provider\/dynamic|sdk)\//, words: "provider/dynamic and sdk" },
];

export interface SourceFile {
    /** From the root of the repository, with forward slashes. */
    readonly path: string;
    readonly text: string;
}

/** One sentence for each import that points the wrong way. */
export function violations(files: readonly SourceFile[]): string[] {
    return files.flatMap((file) => {
        if (file.path.endsWith(".test.ts")) return [];
        return referencesOf(file).flatMap(({ specifier, line }) => {
            const complaint = specifier.startsWith(".")
                ? judgeOwn(file.path, normalize(join(dirname(file.path), specifier)))
                : judgePackage(file.path, specifier);
            return complaint === undefined ? [] : [`${file.path}:${line} ${complaint}`];
        });
    });
}

function judgeOwn(from: string, to: string): string | undefined {
    const room = roomOf(from);
    const allowed = ROOMS[room];
    if (allowed === undefined) return undefined;
    if (room === "engines" ? engineOf(from) === engineOf(to) : roomOf(to) === room) return undefined;
    if (allowed.some((directory) => to.startsWith(`${directory}/`))) return undefined;
    const doors = DOORS.filter((door) => door.from.test(from));
    if (doors.some((door) => door.to.test(to))) return undefined;
    const may = [room === "engines" ? engineOf(from) : room, ...allowed, ...doors.map((door) => door.words)];
    return `imports ${to}, but may import from ${listed(may)} only.`;
}

function judgePackage(from: string, specifier: string): string | undefined {
    if (ROOMS[roomOf(from)] === undefined) return undefined;
    const rule = PACKAGES.find(({ what, where }) => what.test(specifier) && !where.test(from));
    if (rule === undefined) return undefined;
    const use = specifier === "bun" ? "uses Bun" : `imports ${specifier}`;
    return `${use}, which is for ${rule.words} only.`;
}

interface Reference {
    readonly specifier: string;
    readonly line: number;
}

/** Imports of every form, types included, and uses of the global `Bun` as if it were imported. */
function referencesOf({ path, text }: SourceFile): Reference[] {
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, false);
    const found: Reference[] = [];
    const add = (node: ts.Node, specifier: string) => {
        const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
        found.push({ specifier, line: line + 1 });
    };
    const visit = (node: ts.Node): void => {
        const specifier = specifierOf(node);
        if (specifier !== undefined) add(node, specifier);
        if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "Bun") add(node, "bun");
        ts.forEachChild(node, visit);
    };
    visit(source);
    return found;
}

function specifierOf(node: ts.Node): string | undefined {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return literal(node.moduleSpecifier);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return literal(node.argument.literal);
    if (!ts.isCallExpression(node)) return undefined;
    const { expression } = node;
    const loads = expression.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(expression) && expression.text === "require");
    return loads ? literal(node.arguments[0]) : undefined;
}

function literal(node: ts.Node | undefined): string | undefined {
    return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

function roomOf(path: string): string {
    return path.split("/")[0] ?? "";
}

function engineOf(path: string): string {
    return path.split("/").slice(0, 2).join("/");
}

function listed(words: readonly string[]): string {
    return words.length === 1 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function sourcesOf(root: string): SourceFile[] {
    return Object.keys(ROOMS).flatMap((room) =>
        readdirSync(join(root, room), { recursive: true, withFileTypes: true })
            .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
            .map((entry) => join(entry.parentPath, entry.name))
            .map((file) => ({ path: file.slice(root.length + 1), text: readFileSync(file, "utf8") })),
    );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
    const files = sourcesOf(dirname(dirname(fileURLToPath(import.meta.url))));
    const wrong = violations(files);
    for (const sentence of wrong) console.error(sentence);
    console.log(
        wrong.length === 0 ? `${files.length} files, every import points the right way.` : `${wrong.length} imports point the wrong way.`,
    );
    process.exitCode = wrong.length === 0 ? 0 : 1;
}
