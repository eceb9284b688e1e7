import { cp } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { VERSION } from "../../protocol/version.ts";
import { program } from "../fixtures/releases/program.ts";
import { releases } from "../fixtures/releases/releases.ts";
import { Stack } from "./stack.ts";

it.each(releases)("the state that release $version left plans no change but the agent's upgrade, and asks no node", async (release) => {
    await using stack = await Stack.create("release", "release");
    await cp(join(release.directory, "Pulumi.release.yaml"), join(stack.directory, "project", "Pulumi.release.yaml"));
    await stack.must(["stack", "import", "--file", join(release.directory, "state.json")]);
    await stack.program(program, release.values);
    const node = release.version === VERSION ? "same" : "update";
    expect(await stack.plan()).toEqual({ node, disk: "same", events: "same", ids: "same", kept: "same" });
    if (node === "update")
        expect((await stack.must(["preview", "--diff"])).output).toContain(`~ agentVersion: "${release.version}" => "${VERSION}"`);
});
