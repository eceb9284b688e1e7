import { cp } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { VERSION } from "../../protocol/version.ts";
import { releases } from "../fixtures/releases/releases.ts";
import { nameOf, Stack } from "./stack.ts";

it.each(releases)("the state that release $version left plans no change but the agent's upgrade, and asks no node", async (release) => {
    await using stack = await Stack.create("release", "release");
    await cp(join(release.directory, "Pulumi.release.yaml"), join(stack.directory, "project", "Pulumi.release.yaml"));
    await stack.must(["stack", "import", "--file", join(release.directory, "state.json")]);
    await stack.program(release.program, release.values);
    const node = release.version === VERSION ? "same" : "update";
    const names = (await stack.state()).map(({ urn }) => nameOf(urn));
    expect(names).toEqual(expect.arrayContaining(["node", "disk", "events", "ids", "kept"]));
    expect(await stack.plan()).toEqual(Object.fromEntries(names.map((name) => [name, name === "node" ? node : "same"])));
    if (node === "update")
        expect((await stack.must(["preview", "--diff"])).output).toContain(`~ agentVersion: "${release.version}" => "${VERSION}"`);
});
