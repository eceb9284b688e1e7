import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HostInfo } from "../../dev/hosts/index.ts";
import { RUNTIMES } from "../../provider/node/runtimes.ts";
import { prefixOf } from "../prefix.ts";
import { Consumer, versionOf } from "./consumer.ts";

const PREFIX = prefixOf("pk");

/** Somebody else's machine, with nothing of the repository but the tarball that `npm pack` makes of it. */
describe("the packed package", () => {
    let consumer: Consumer;
    let template: string;
    let host: HostInfo;

    const dev = (...args: string[]) =>
        consumer.run(template, join(template, "node_modules", ".bin", "zeroform"), ["dev", ...args, "--prefix", PREFIX, "--json"]);

    beforeAll(async () => {
        consumer = await Consumer.create();
    });
    afterAll(async () => {
        if (host) await dev("down");
        await consumer?.[Symbol.asyncDispose]();
    });

    it("brings what it needs, and nothing else", async () => {
        const files = (await consumer.run(consumer.directory, "tar", ["-tzf", consumer.tarball])).trim().split("\n");
        const has = (path: string) => files.includes(`package/${path}`);
        for (const path of [
            "README.md",
            "LICENSE",
            "dist/agent/agent.js",
            "dist/sdk/index.d.ts",
            "template/Pulumi.yaml",
            "template/index.ts",
        ])
            expect(has(path), path).toBe(true);
        const unwanted = files.filter(
            (path) => /\.test\.|stamp|\/\.|node_modules|(?<!\.d)\.ts$/.test(path) && !path.startsWith("package/template/"),
        );
        expect(unwanted).toEqual([]);
    });

    it("gives `pulumi new` a template that installs with npm", async () => {
        template = await consumer.project("from-template", {});
        await consumer.project("unpacked", {});
        await consumer.run(join(consumer.directory, "unpacked"), "tar", ["-xzf", consumer.tarball]);
        const from = join(consumer.directory, "unpacked", "package", "template");
        const flags = ["--yes", "--generate-only", "--name", "shop", "--description", "a shop's data", "--non-interactive"];
        await consumer.run(template, "pulumi", ["new", from, ...flags]);
        expect(JSON.parse(await readFile(join(template, "package.json"), "utf8")).name).toBe("shop");
        await consumer.npmInstall(template);
        expect((await readdir(join(template, "node_modules"))).filter((name) => ["bun", "vitest", "@oven"].includes(name))).toEqual([]);
    });

    it("type-checks where a program does, with declarations checked too", async () => {
        for (const [module, resolution] of [
            ["node16", "node16"],
            ["esnext", "bundler"],
        ] as const) {
            const flags = ["--skipLibCheck", "false", "--module", module, "--moduleResolution", resolution];
            await consumer.run(template, "node", ["node_modules/typescript/bin/tsc", "-p", ".", ...flags]);
        }
    });

    it("makes test hosts", async () => {
        [host] = JSON.parse(await dev("up", "1"));
        expect(host).toMatchObject({ state: "up" });
    });

    it("works from the template, as an ES module in TypeScript through tsx; the agent's runtime comes from the registry", async () => {
        const { address, identityFile } = host;
        const said = await consumer.live(template, "dev", { host: address, identityFile, size: "640MiB" });
        expect(said).toContain("4 created");
        const runtimes = join(consumer.directory, "cache", "zeroform", "runtimes");
        const [name, ...others] = await readdir(runtimes);
        expect(others).toEqual([]);
        const sha256 = createHash("sha256")
            .update(await readFile(join(runtimes, name ?? "")))
            .digest("hex");
        expect(RUNTIMES.map((runtime) => runtime.sha256)).toContain(sha256);
    });

    it("works in a CommonJS program in JavaScript", async () => {
        const project = await consumer.project("from-template/commonjs", {
            "Pulumi.yaml": "name: commonjs\nmain: index.js\nruntime: nodejs\n",
            "package.json": JSON.stringify({ name: "commonjs", private: true, main: "index.js" }),
            "index.js": `const { Node, Zdb } = require("zeroform");\n${programOn(host)}module.exports = { url: store.url };\n`,
        });
        expect(await consumer.live(project, "dev")).toContain("3 created");
    });

    it("works in a program that Pulumi itself compiles from TypeScript to CommonJS", async () => {
        const project = await consumer.project("from-template/compiled", {
            "Pulumi.yaml": "name: compiled\nruntime: nodejs\n",
            "package.json": JSON.stringify({ name: "compiled", private: true, main: "index.ts" }),
            "tsconfig.json": JSON.stringify({ compilerOptions: { strict: true, target: "es2022", module: "nodenext" } }),
            "index.ts": `import { Node, Zdb } from "zeroform";\n${programOn(host)}const all: Zdb[] = [store];\nexport const url = all[0]?.url;\n`,
        });
        await consumer.run(project, "pulumi", ["stack", "init", "dev", "--non-interactive"]);
        expect(await consumer.run(project, "pulumi", ["preview", "--non-interactive", "--color", "never"])).toContain("3 to create");
    });

    it("works in pnpm's strict node_modules, as TypeScript through Node's own type stripping", async () => {
        const [pulumi, types] = [await versionOf("@pulumi/pulumi"), await versionOf("@types/node")];
        const dependencies = { "@pulumi/pulumi": pulumi, "@types/node": types };
        const manifest = { name: "pnpm", private: true, type: "module", dependencies };
        const project = await consumer.project("with-pnpm", {
            "Pulumi.yaml": "name: pnpm\nmain: index.ts\nruntime:\n    name: nodejs\n    options:\n        typescript: false\n",
            "package.json": JSON.stringify(manifest),
            "index.ts": `import { Node, Zdb } from "zeroform";\n${programOn(host)}const all: Zdb[] = [store];\nexport const url = all[0]?.url;\n`,
        });
        await consumer.pnpmInstall(project);
        expect(await readdir(join(project, "node_modules"))).not.toContain("ssh2");
        // Neither a project that bans npm nor an empty cache keeps npm from fetching the runtime.
        const installed = JSON.parse(await readFile(join(project, "package.json"), "utf8"));
        const devEngines = { packageManager: { name: "pnpm", onFail: "error" } };
        await writeFile(join(project, "package.json"), JSON.stringify({ ...installed, devEngines }));
        await rm(join(consumer.directory, "cache", "zeroform", "runtimes"), { recursive: true });
        expect(await consumer.live(project, "dev")).toContain("3 created");
    });
});

const programOn = ({ address, identityFile, hostKey }: HostInfo): string => {
    const reach = JSON.stringify({ host: address, identityFile, hostKey, trash: "0s" });
    return `const node = new Node("node", ${reach});\nconst store = new Zdb("store", { node, size: "5MiB" });\n`;
};
