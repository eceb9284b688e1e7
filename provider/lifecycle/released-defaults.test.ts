import { describe, expect, it } from "vitest";
import { defaultsOf } from "../../schema/defaults.ts";
import { type Kind, primitiveOf } from "../../schema/index.ts";
import { type Defaults, defaultsOfNow, kinds } from "../../test/fixtures/releases/defaults.ts";
import { releases } from "../../test/fixtures/releases/releases.ts";
import { completed, stored } from "./stored.ts";
import { same } from "./values.ts";

/** What state of that release is read as where it is silent, if that is not what the release meant. */
const misread = (version: string, kind: Kind, then: Defaults[string], now = completed(kind, {})): string[] =>
    Object.entries(then)
        .filter(([field, value]) => !same(now[field] ?? null, value))
        .map(
            ([field, value]) =>
                `${kind}.${field} was ${JSON.stringify(value)} in ${version} when nobody wrote it, and is read as ${JSON.stringify(now[field] ?? null)} ` +
                "now. State of that release leaves it out, so resources would change although the plan shows no change. Keep the default; or, if it has " +
                "to be another one, let provider/lifecycle/stored.ts always store this field, and complete state without it with what it was: then the " +
                "plan shows the change. Never edit the files of a release.",
        );

describe("state that leaves out defaults", () => {
    it("is there of a release", () => {
        expect(releases.some(({ defaults }) => defaults !== undefined)).toBe(true);
    });

    const withDefaults = releases.flatMap(({ version, defaults }) =>
        Object.entries(defaults ?? {}).flatMap(([name, then]) =>
            kinds.filter((kind) => kind === name).map((kind) => ({ version, kind, then })),
        ),
    );

    it.each(withDefaults)("is read as $version meant it: $kind", ({ version, kind, then }) => {
        expect(misread(version, kind, then).join("\n")).toBe("");
    });

    it.each(kinds)("is read as it was written today: %s", (kind) => {
        const defaults = defaultsOf(primitiveOf(kind));
        expect(completed(kind, stored(kind, defaults, {}))).toEqual(defaults);
    });

    it("is noticed when another default, one more or none would be read", () => {
        const { Zdb: then = {} } = defaultsOfNow();
        expect(misread("1.2.3", "Zdb", then)).toEqual([]);
        for (const [field, value] of [
            ["durability", "commit"],
            ["port", 9900],
            ["worm", undefined],
        ] as const) {
            const [message = "", ...more] = misread("1.2.3", "Zdb", then, { ...completed("Zdb", {}), [field]: value });
            expect(message).toContain(`Zdb.${field} was ${JSON.stringify(then[field])} in 1.2.3`);
            expect(more).toEqual([]);
        }
    });
});
