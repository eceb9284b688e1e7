import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const PAGES = ["*.md", "{bench,dev,docs,template}/**/*.md", "{engines,examples}/*/*.md"];
/** What npm packs beside the compiled code; a README shows on the way to the repository as well. */
const PACKED = ["docs", "template"];

interface Link {
    readonly page: string;
    readonly target: string;
    readonly anchor: string;
}

const links = globSync(PAGES, { cwd: ROOT, exclude: (name) => name === "node_modules" }).flatMap((page): readonly Link[] => {
    const text = readFileSync(join(ROOT, page), "utf8").replace(/```[\s\S]*?```|`[^`\n]*`/g, "");
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, link = ""]) => link)
        .filter((link) => !/^[a-z]+:/.test(link))
        .map((link) => {
            const [path = "", anchor = ""] = link.split("#");
            return { page, target: path === "" ? page : normalize(join(dirname(page), path)), anchor };
        });
});

/** As GitHub makes them of headings. */
const anchorsOf = (page: string): readonly string[] =>
    [...readFileSync(join(ROOT, page), "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
        heading
            .toLowerCase()
            .replace(/[^\p{L}\p{N} _-]/gu, "")
            .replaceAll(" ", "-"),
    );

it("leads somewhere, each link of a page", () => {
    expect(links.length).toBeGreaterThan(10);
    const broken = links.filter(({ target, anchor }) => {
        if (!existsSync(join(ROOT, target))) return true;
        return anchor !== "" && !(statSync(join(ROOT, target)).isFile() && anchorsOf(target).includes(anchor));
    });
    expect(broken).toEqual([]);
});

it("stays within the package, each link of a page that is packed", () => {
    const packedWith = (page: string) => PACKED.find((directory) => !relative(directory, page).startsWith(".."));
    const leaving = links.filter(({ page, target }) => packedWith(page) !== undefined && packedWith(target) === undefined);
    expect(leaving).toEqual([]);
    const { files } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { readonly files: readonly string[] };
    for (const directory of PACKED) expect(files).toContain(directory);
});
