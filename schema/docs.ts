// `node schema/docs.ts [--check]`: writes the tables of inputs and outputs into docs/<kind>.md, between markers, from the schema.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { type Kind, primitiveOf, primitives } from "./index.ts";
import type { Change, Input } from "./primitive.ts";

const SCHEMA = import.meta.dirname;
const DOCS = join(SCHEMA, "../docs");

interface Doc {
    readonly words: string;
    readonly byDefault: string | undefined;
}

/** The doc comment of each field, by the name of the object that declares it: `zdb.inputs`, `zdb.outputs`, `onNode` ... */
const readDocs = (): ReadonlyMap<string, ReadonlyMap<string, Doc>> => {
    const docs = new Map<string, Map<string, Doc>>();
    for (const file of readdirSync(SCHEMA).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))) {
        const source = ts.createSourceFile(file, readFileSync(join(SCHEMA, file), "utf8"), ts.ScriptTarget.Latest, true);
        for (const statement of source.statements) {
            if (!ts.isVariableStatement(statement)) continue;
            for (const { name, initializer } of statement.declarationList.declarations) collect(docs, name.getText(), initializer);
        }
    }
    return docs;
};

const collect = (docs: Map<string, Map<string, Doc>>, name: string, initializer: ts.Expression | undefined): void => {
    if (initializer && ts.isCallExpression(initializer)) {
        for (const argument of initializer.arguments) {
            if (!ts.isObjectLiteralExpression(argument)) continue;
            for (const property of argument.properties) {
                if (ts.isPropertyAssignment(property)) collect(docs, `${name}.${property.name.getText()}`, property.initializer);
            }
        }
    }
    if (!initializer || !ts.isObjectLiteralExpression(initializer)) return;
    const fields = new Map<string, Doc>();
    for (const property of initializer.properties) {
        if (ts.isPropertyAssignment(property)) fields.set(property.name.getText(), docOf(property));
        // A spread stands for the fields of the object that it names.
        if (ts.isSpreadAssignment(property)) fields.set(`...${property.expression.getText()}`, { words: "", byDefault: undefined });
    }
    docs.set(name, fields);
};

const docOf = (property: ts.PropertyAssignment): Doc => {
    const [comment] = ts.getJSDocCommentsAndTags(property).filter(ts.isJSDoc);
    const words = (part: ts.JSDoc["comment"]) => (ts.getTextOfJSDocComment(part) ?? "").replace(/\s+/g, " ").trim();
    const tag = comment?.tags?.find(({ tagName }) => tagName.text === "default");
    return { words: words(comment?.comment), byDefault: tag && words(tag.comment) };
};

const find = (docs: ReadonlyMap<string, ReadonlyMap<string, Doc>>, object: string, field: string): Doc => {
    const fields = docs.get(object);
    const own = fields?.get(field);
    if (own && own.words !== "") return own;
    const spread = [...(fields?.keys() ?? [])].filter((key) => key.startsWith("...")).map((key) => docs.get(key.slice(3))?.get(field));
    const found = spread.find((doc) => doc !== undefined && doc.words !== "");
    if (!found) throw new Error(`${object}.${field} has no doc comment in schema/.`);
    return found;
};

const cell = (text: string) => text.replaceAll("|", "\\|");

const row = (...cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;

const changeOf = (change: Change): string => {
    switch (change.rule) {
        case "update":
            return "in place";
        case "grow":
            return "in place, to more only";
        case "replace":
            return `replaces it: ${change.because}`;
        case "client":
            return "state only, no contact";
    }
};

const defaultOf = (kind: Kind, field: string, { schema, visibility }: Input, { byDefault }: Doc): string => {
    const { success, data } = schema.safeParse(undefined);
    if (success && data !== undefined && !byDefault?.startsWith(JSON.stringify(data)))
        throw new Error(`The doc comment of ${kind}.${field} does not say its default: @default ${JSON.stringify(data)}`);
    if (byDefault !== undefined) return byDefault;
    const bearers = Object.entries(primitiveOf(kind).inputs).filter(([name, each]) => each.visibility === "reference" && name !== field);
    if (visibility === "reference" && bearers.length > 0) return `that of ${bearers.map(([name]) => `\`${name}\``).join(" or ")}`;
    if (success) throw new Error(`The doc comment of ${kind}.${field} does not say what it is when it is left out: @default ...`);
    return "required";
};

const tablesOf = (kind: Kind, docs: ReturnType<typeof readDocs>): Record<string, string> => {
    const name = kind.toLowerCase();
    const { inputs, outputs } = primitiveOf(kind);
    const inputRows = Object.entries(inputs)
        .filter(([, { visibility }]) => visibility !== "hidden")
        .map(([field, input]) => {
            const doc = find(docs, `${name}.inputs`, field);
            return row(
                `\`${field}\``,
                `${doc.words}${input.secret ? " Secret." : ""}`,
                defaultOf(kind, field, input, doc),
                changeOf(input.change),
            );
        });
    const outputRows = Object.entries(outputs).map(([field, { secret }]) =>
        row(`\`${field}\``, `${find(docs, `${name}.outputs`, field).words}${secret ? " Secret." : ""}`),
    );
    return {
        inputs: [row("input", "what it is", "default", "a change of it"), "|---|---|---|---|", ...inputRows].join("\n"),
        outputs: [row("output", "what it is"), "|---|---|", ...outputRows].join("\n"),
    };
};

/** The page with its tables as the schema has them today. */
const renewed = (page: string, tables: Readonly<Record<string, string>>, file: string): string =>
    Object.entries(tables).reduce((text, [name, table]) => {
        const [start, end] = [`<!-- ${name}: generated from schema/ by schema/docs.ts -->`, `<!-- end of ${name} -->`];
        const [from, to] = [text.indexOf(start), text.indexOf(end)];
        if (from < 0 || to < from) throw new Error(`${file} lacks the markers "${start}" and "${end}".`);
        return `${text.slice(0, from + start.length)}\n${table}\n${text.slice(to)}`;
    }, page);

const isCheck = process.argv.includes("--check");
const docs = readDocs();
const stale: string[] = [];
for (const kind of Object.keys(primitives) as Kind[]) {
    const file = `docs/${kind.toLowerCase()}.md`;
    const path = join(DOCS, `${kind.toLowerCase()}.md`);
    const page = readFileSync(path, "utf8");
    const wanted = renewed(page, tablesOf(kind, docs), file);
    if (wanted === page) continue;
    stale.push(file);
    if (!isCheck) writeFileSync(path, wanted);
}
if (stale.length > 0) console.log(isCheck ? `${stale.join(", ")}: stale, run \`node schema/docs.ts\`.` : `${stale.join(", ")}: written.`);
if (isCheck && stale.length > 0) process.exitCode = 1;
