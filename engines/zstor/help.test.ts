import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { COMMANDS, helpFor } from "./help.ts";

test("every command has its page, and every command that is carried out is on the list", () => {
    const source = readFileSync(new URL("main.ts", import.meta.url), "utf8");
    const carriedOut = [...source.matchAll(/case "([a-z-]+)"/g)].map(([, name]) => name);
    expect([...COMMANDS].sort()).toEqual(["recover", "serve", ...carriedOut].sort());
    for (const command of COMMANDS) {
        expect(helpFor("")).toContain(`  ${command}`);
        expect(helpFor(command)).toMatch(new RegExp(`^zeroform-agent zstor ${command} [^]*Exit status`));
    }
});
