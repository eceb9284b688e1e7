import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Method } from "../../protocol/api.ts";
import { PROTOCOL } from "../../protocol/version.ts";

const run = promisify(execFile);
const REPOSITORY = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** What tells one release from another on a channel. */
interface ReleaseMarks {
    readonly version: string;
    readonly protocols: readonly number[];
    /** What its agent cannot be asked. */
    readonly without?: readonly Method[];
}

/** The last commit of 0.1.0, whose provider and agent speak protocol 1 and no other. */
const LAST_OF_PROTOCOL_1 = "55a5d2f198d7e12cf789db617c05568144f076d1";

/** Where a clone has no history: the same, as far as a channel can tell. */
const AS_OF_PROTOCOL_1: ReleaseMarks = {
    version: "0.1.0",
    protocols: [1],
    without: ["events", "metrics", "trash.purge", "tenant.list", "tenant.evict", "tenant.disclose", "tenant.rename"],
};

/** Another release of this package: a `node_modules` of its own with it, beside the dependencies of the repository. */
export class OtherRelease implements AsyncDisposable {
    readonly version: string;
    readonly #directory: string;

    private constructor(directory: string, version: string) {
        this.#directory = directory;
        this.version = version;
    }

    /**
     * The release whose protocol is the one before this one, built from the history of the repository: no release is on a registry yet. A
     * shallow clone has no history, and gets this code under that release's marks.
     */
    static async ofProtocolBefore(): Promise<OtherRelease> {
        if (PROTOCOL !== 2) throw new Error(`name the last commit of protocol ${PROTOCOL - 1} in other-release.ts`);
        const release = new OtherRelease(await mkdtemp(join(tmpdir(), "zeroform-release-")), AS_OF_PROTOCOL_1.version);
        await mkdir(release.#own, { recursive: true });
        for (const name of await readdir(join(REPOSITORY, "node_modules")))
            if (name !== "zeroform") await symlink(join(REPOSITORY, "node_modules", name), join(release.modules, name));
        const isKnown = await run("git", ["-C", REPOSITORY, "cat-file", "-e", `${LAST_OF_PROTOCOL_1}^{tree}`]).then(
            () => true,
            () => false,
        );
        if (isKnown) await release.#build(LAST_OF_PROTOCOL_1);
        else await release.#disguise(AS_OF_PROTOCOL_1);
        console.log(
            `${release.version}: ${isKnown ? `built from ${LAST_OF_PROTOCOL_1}` : "this code under its marks, as the clone has no history"}`,
        );
        return release;
    }

    async #build(commit: string): Promise<void> {
        const source = join(this.#directory, "source");
        await mkdir(source);
        const archive = join(this.#directory, "source.tar");
        await run("git", ["-C", REPOSITORY, "archive", "--output", archive, commit]);
        await run("tar", ["-xf", archive, "-C", source]);
        await symlink(join(REPOSITORY, "node_modules"), join(source, "node_modules"));
        const dist = join(this.#own, "dist");
        await run("tsc", ["-p", "tsconfig.build.json", "--noCheck", "--outDir", dist], { cwd: source });
        await run("bun", ["build", "agent/main.ts", "--target=bun", "--outfile", this.agentBundle], { cwd: source });
        await cp(join(source, "package.json"), join(this.#own, "package.json"));
    }

    async #disguise(marks: ReleaseMarks): Promise<void> {
        await cp(join(REPOSITORY, "dist"), join(this.#own, "dist"), { recursive: true });
        await cp(join(REPOSITORY, "package.json"), join(this.#own, "package.json"));
        for (const file of [join(this.#own, "dist", "protocol", "version.js"), this.agentBundle]) await mark(file, marks);
        await removeMethods(this.agentBundle, marks.without ?? []);
    }

    get #own(): string {
        return join(this.modules, "zeroform");
    }

    get modules(): string {
        return join(this.#directory, "node_modules");
    }

    private get agentBundle(): string {
        return join(this.#own, "dist", "agent", "agent.js");
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
