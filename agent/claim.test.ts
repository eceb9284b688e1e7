import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { claim } from "./claim.ts";

it("a claim without an agent says how to start it", async () => {
    const nowhere = join(tmpdir(), "zeroform-no-such-directory", "agent.sock");
    await expect(claim("same", nowhere)).rejects.toMatchObject({
        code: "AGENT_BROKEN",
        hint: expect.stringContaining("systemctl start zeroform-agent.service"),
    });
});
