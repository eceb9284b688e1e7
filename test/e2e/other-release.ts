import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Method } from "../../protocol/api.ts";

const REPOSITORY = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** What tells one release from another; the code is this one's. */
export interface ReleaseMarks {
    readonly version: string;
    readonly protocols: readonly number[];
    /** What its agent cannot be asked. */
    readonly without?: readonly Method[];
}

/**
 * This package as another release would bring it: a `node_modules` of its own with it, beside the dependencies of the repository. Its code is
 * this one's under other marks: no release is on a registry yet, and building an old one takes its sources, which a checkout need not have.
 * What old code really left behind is read in `test/fixtures/releases`.
 */
export class OtherRelease implements AsyncDisposable {
    readonly #directory: string;

    private constructor(directory: string) {
        this.#directory = directory;
    }

    static async make(marks: ReleaseMarks): Promise<OtherRelease> {
        const release = new OtherRelease(await mkdtemp(join(tmpdir(), "zeroform-release-")));
        await mkdir(release.modules);
        for (const name of await readdir(join(REPOSITORY, "node_modules")))
            if (name !== "zeroform") await symlink(join(REPOSITORY, "node_modules", name), join(release.modules, name));
        const own = join(release.modules, "zeroform");
        await cp(join(REPOSITORY, "dist"), join(own, "dist"), { recursive: true });
        await cp(join(REPOSITORY, "package.json"), join(own, "package.json"));
        for (const file of [join(own, "dist", "protocol", "version.js"), release.agentBundle]) await mark(file, marks);
        await removeMethods(release.agentBundle, marks.without ?? []);
        return release;
    }

    get modules(): string {
        return join(this.#directory, "node_modules");
    }

    get agentBundle(): string {
        return join(this.modules, "zeroform", "dist", "agent", "agent.js");
    }

    async [Symbol.asyncDispose](): Promise<void> {
        await rm(this.#directory, { recursive: true, force: true });
    }
}

const mark = async (file: string, { version, protocols }: ReleaseMarks): Promise<void> => {
    const text = await readFile(file, "utf8");
    const marked = text
        .replace(/\bVERSION = "[^"]+"/, `VERSION = ${JSON.stringify(version)}`)
        .replace(/\bPROTOCOL = \d+/, `PROTOCOL = ${Math.max(...protocols)}`)
        .replace(/\bPROTOCOLS_UNDERSTOOD = \[[^\]]*\]/, `PROTOCOLS_UNDERSTOOD = ${JSON.stringify(protocols)}`);
    for (const words of [`VERSION = "${version}"`, `PROTOCOLS_UNDERSTOOD = ${JSON.stringify(protocols)}`])
        if (!marked.includes(words)) throw new Error(`${file} has no ${words.split(" ")[0]} to mark`);
    await writeFile(file, marked);
};

/** Its handlers answer to names that nobody calls. */
const removeMethods = async (bundle: string, methods: readonly Method[]): Promise<void> => {
    let text = await readFile(bundle, "utf8");
    for (const method of methods) {
        const handler = new RegExp(`^( +)"?${method.replace(".", "\\.")}"?: (?=\\(|operation\\(|question\\()`, "m");
        if (!handler.test(text)) throw new Error(`${bundle} has no handler of ${method} to remove`);
        text = text.replace(handler, `$1"removed ${method}": `);
    }
    await writeFile(bundle, text);
};
