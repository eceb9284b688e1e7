import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterAll, describe, expect, it } from "vitest";
import { fingerprint, hostKeyOf, keysIn, knownKeys } from "./known-hosts.ts";

const directory = mkdtempSync(join(tmpdir(), "zfn-known-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJWaaRVuCHNZdfvuxKxGx9DJhUrLL0u+9qY4wicfQy1r";
const keys = (text: string, name: string) => keysIn(text, name).map(({ key }) => key);

describe("known_hosts", () => {
    it("has keys by name, pattern and port", () => {
        expect(keys(`alpha,10.0.0.1 ${KEY} a comment`, "10.0.0.1")).toEqual([KEY]);
        expect(keys(`*.example.org,!bad.example.org ${KEY}`, "good.example.org")).toEqual([KEY]);
        expect(keys(`*.example.org,!bad.example.org ${KEY}`, "bad.example.org")).toEqual([]);
        expect(keys(`alpha ${KEY}`, "[alpha]:2222")).toEqual([]);
        expect(keys(`[alpha]:2222 ${KEY}`, "[alpha]:2222")).toEqual([KEY]);
        expect(keys(`a.b ${KEY}`, "axb")).toEqual([]);
        expect(keys(`host? ${KEY}`, "host7")).toEqual([KEY]);
    });

    it("skips what is no key of the host", () => {
        expect(keys(`# alpha ${KEY}\n\nalpha\nalpha ssh-ed25519\n@unheard-of alpha ${KEY}`, "alpha")).toEqual([]);
    });

    it("tells keys of authorities", () =>
        expect(keysIn(`@cert-authority *.org ${KEY}`, "alpha.org")).toEqual([{ key: KEY, marker: "@cert-authority" }]));

    it("tells revoked keys", () => expect(keysIn(`@revoked * ${KEY}`, "alpha")).toEqual([{ key: KEY, marker: "@revoked" }]));

    it("finds names that ssh-keygen has hashed", () => {
        const file = join(directory, "hashed");
        writeFileSync(file, `[alpha]:2222 ${KEY}\nbeta ${KEY}\n`);
        execFileSync("ssh-keygen", ["-q", "-H", "-f", file], { stdio: "ignore" });
        expect(readFileSync(file, "utf8")).not.toContain("alpha");
        expect(knownKeys([join(directory, "absent"), file], "[alpha]:2222")).toEqual([{ key: KEY, marker: undefined, file }]);
        expect(knownKeys([file], "gamma")).toEqual([]);
    });

    it("that cannot be read is no known_hosts without the host", () => {
        expect(() => knownKeys([directory], "alpha")).toThrow(`${directory}, which SSH goes by, cannot be read (EISDIR)`);
    });

    it("shows the fingerprint that ssh-keygen shows", () => {
        const pair = ssh2.utils.generateKeyPairSync("ecdsa", { bits: 256 });
        const file = join(directory, "key.pub");
        writeFileSync(file, pair.public);
        const shown = execFileSync("ssh-keygen", ["-l", "-f", file], { encoding: "utf8" });
        expect(shown.split(" ")[1]).toBe(fingerprint(pair.public));
    });

    it("names a presented key by the type in it", () => {
        expect(hostKeyOf(Buffer.from(KEY.split(" ")[1] ?? "", "base64"))).toBe(KEY);
    });
});
