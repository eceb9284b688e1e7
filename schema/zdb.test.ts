import { describe, expect, it } from "vitest";
import { zdb } from "./zdb.ts";

describe("the hook of a Zdb", () => {
    const told = (hook: unknown): string => {
        const { success, error } = zdb.inputs.hook.schema.safeParse(hook);
        return success ? "ok" : (error.issues[0]?.message ?? "no reason");
    };

    it("is the absolute path of a program, which no blank ends", () => {
        for (const hook of [undefined, "/usr/local/bin/told", "/opt/with a blank/told"]) expect(told(hook)).toBe("ok");
        for (const hook of ["", "/", "told", "/usr/bin/t\n", 7])
            expect(told(hook)).toBe("write hook as the absolute path of a program on the node");
        expect(told("/usr/local/bin/told ")).toBe("hook ends with a blank: write the path of the program without it");
    });
});
