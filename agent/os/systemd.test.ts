import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { isStale, parseStates } from "./systemd.ts";
import { escapePath, mountUnitOf } from "./unit-names.ts";

describe("unit names", () => {
    it.each(["/var/lib/zeroform/mounts/labcdefgh23456789", "/mnt/ssd-1/a_b", "/", "/.hidden/x", "/a b/c\\d", "/ümlaut"])(
        "of %s are those of systemd-escape",
        (path) => {
            const escaped = execFileSync("systemd-escape", ["--path", path], { encoding: "utf8" }).trim();
            expect(escapePath(path)).toBe(escaped);
        },
    );

    it("of mounts end in .mount", () => {
        expect(mountUnitOf("/var/lib/zeroform/mounts/lab")).toBe("var-lib-zeroform-mounts-lab.mount");
    });
});

describe("what systemd has read", () => {
    const dropIn = "/etc/systemd/system/zeroform-zdb@ab.service.d/zeroform.conf";
    const loaded = (paths: string, needs = "no") =>
        `LoadState=loaded\nFragmentPath=/etc/systemd/system/zeroform-zdb@.service\nDropInPaths=${paths}\nNeedDaemonReload=${needs}`;

    it.each([
        ["as it is", loaded(dropIn), false],
        ["beside others", loaded(`/etc/systemd/system/service.d/all.conf ${dropIn}`), false],
        ["without the drop-in, of which it says nothing", loaded(""), true],
        ["as it was before", loaded(dropIn, "yes"), true],
        ["from the kernel alone", "LoadState=loaded\nFragmentPath=\nDropInPaths=\nNeedDaemonReload=no", true],
        ["not at all", "LoadState=not-found\nFragmentPath=\nDropInPaths=\nNeedDaemonReload=no", false],
    ])("%s", (_how, properties, stale) => {
        expect(isStale(properties, dropIn)).toBe(stale);
    });
});

describe("list-units", () => {
    it("is read as systemd 252 prints it", () => {
        const states = parseStates(
            '[{"unit":"zeroform.target","load":"loaded","active":"active","sub":"active","description":"zeroform"},{"unit":"zeroform-zdb@ab.service","load":"loaded","active":"activating","sub":"auto-restart","description":"x"}]\n',
        );
        expect(states.get("zeroform-zdb@ab.service")).toEqual({
            name: "zeroform-zdb@ab.service",
            active: "activating",
            sub: "auto-restart",
        });
        expect(parseStates("").size).toBe(0);
        expect(() => parseStates("{}")).toThrow("did not answer a list");
    });
});
