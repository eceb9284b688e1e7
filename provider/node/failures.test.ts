import { describe, expect, it } from "vitest";
import { reach } from "../../schema/on-node.ts";
import { dialFailure } from "./failures.ts";
import { resolveTarget } from "./target.ts";

const target = resolveTarget(reach.parse({ host: "alpha.example" }), { HOME: "/nonexistent" });
const failed = (code: string) => dialFailure(Object.assign(new Error(code), { code }), "connect", target);

describe("a name that is not found", () => {
    it("is worth another try when no name server answered, and is final when one says that there is none", () => {
        expect(failed("EAI_AGAIN")).toMatchObject({
            code: "NAME_UNKNOWN",
            retryable: true,
            message: expect.stringMatching(/no name server/),
        });
        expect(failed("ENOTFOUND")).toMatchObject({ code: "NAME_UNKNOWN", retryable: false });
    });
});
