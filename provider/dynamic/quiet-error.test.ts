import { expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { quietError } from "./quiet-error.ts";

/** What the host of dynamic providers prints. */
const printed = (error: Error) => `${error}: ${error.stack}`;

it("shows a user's mistake as its sentence, without a stack", () => {
    const error = quietError(new ZeroformError({ code: "INVALID", message: "it is wrong", hint: "Put it right." }), true);
    expect(error.message).toBe("it is wrong. Put it right.");
    expect(printed(error)).toBe("it is wrong. Put it right.: ");
});

it("shows a defect's stack only to who asks for it", () => {
    const defect = new TypeError("x is not a function");
    expect(printed(quietError(defect, false))).toBe("internal error: x is not a function. Please report this as a defect of zeroform.: ");
    expect(printed(quietError(defect, true))).toMatch(/\n\s+at /);
});

it("takes a stack out of other programs' words", () => {
    const words = "its log ends:\n    at open (file.ts:1:2)\nENOSPC";
    expect(quietError(new ZeroformError({ code: "FAILED", message: words }), false).message).toBe("its log ends:\nENOSPC.");
});

it("carries what the host needs for a partial success", () => {
    const partial = { id: "m/t/l", properties: { size: "1GiB" }, reasons: ["not mounted"] };
    expect(quietError(new ZeroformError({ code: "NOT_READY", message: "not ready" }), false, partial)).toMatchObject(partial);
});
