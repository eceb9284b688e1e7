import { describe, expect, it } from "vitest";
import { hops, hopsIn } from "./hop.ts";

describe("hops", () => {
    it.each([
        ["bastion", [{ host: "bastion" }]],
        ["dev@bastion:2222", [{ user: "dev", host: "bastion", port: 2222 }]],
        ["ssh://dev@bastion:2222/", [{ user: "dev", host: "bastion", port: 2222 }]],
        ["a@domain@bastion", [{ user: "a@domain", host: "bastion" }]],
        ["one,two:22", [{ host: "one" }, { host: "two", port: 22 }]],
        ["[fe80::1%eth0]:2222", [{ host: "fe80::1%eth0", port: 2222 }]],
        ["fe80::1%eth0", [{ host: "fe80::1%eth0" }]],
        ["None", []],
    ])("%s is read as ProxyJump is", (text, expected) => expect(hopsIn(text)).toEqual(expected));

    it.each(["", "a,", "@a", "a:0", "a:99999", "a b", "[a", "a:x"])("%j is none", (text) => expect(hopsIn(text)).toBeUndefined());

    it("are a list whatever a program writes", () => {
        expect(hops.parse("a")).toEqual([{ host: "a" }]);
        expect(hops.parse({ host: "a", privateKey: "k" })).toEqual([{ host: "a", privateKey: "k" }]);
        expect(hops.parse(["a,b", { host: "c", hostKey: "ssh-ed25519 AAAA comment" }])).toEqual([
            { host: "a" },
            { host: "b" },
            { host: "c", hostKey: "ssh-ed25519 AAAA" },
        ]);
        expect(hops.parse([])).toEqual([]);
        expect(hops.parse(hops.parse(["a@b:1"]))).toEqual([{ user: "a", host: "b", port: 1 }]);
    });

    it("say the forms when they are wrong, and no value", () => {
        for (const wrong of [5, { hots: "a" }, ["a:x"], [{ host: "a", privateKey: 7 }]]) {
            const { error } = hops.safeParse(wrong);
            expect(error?.issues[0]?.message).toMatch(/^write via as /);
        }
    });
});
