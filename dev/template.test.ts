import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const read = (file: string) => JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), "utf8"));

describe("the template for `pulumi new`", () => {
    it("asks for this release, on what this release runs on", () => {
        const [own, template] = [read("package.json"), read("template/package.json")];
        expect(template.dependencies.zeroform).toBe(`^${own.version}`);
        expect(template.dependencies["@pulumi/pulumi"]).toBe(own.peerDependencies["@pulumi/pulumi"]);
        expect(template.engines).toEqual(own.engines);
    });
});
