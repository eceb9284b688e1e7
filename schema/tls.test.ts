import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeCertificate } from "../test/zdb/certificates.ts";
import { temporaryDirectory } from "../test/zdb/temporary.ts";
import { isForAddress, tls, tlsTerms } from "./tls.ts";

describe("TLS as a program writes it", () => {
    const directory = mkdtempSync(join(tmpdir(), "zeroform-tls-"));
    afterAll(() => rmSync(directory, { recursive: true }));
    const [one, two] = [makeCertificate(directory, "one"), makeCertificate(directory, "two")];
    const written = { certificate: one.cert, privateKey: one.key };
    const wordsOf = (value: unknown): string => {
        const { error } = tls.safeParse(value);
        return error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ") ?? "accepted";
    };

    it("is the same whatever a file has around its certificates and at the ends of its lines", () => {
        const chain = `${one.cert}${two.cert}`;
        const plain = tls.parse({ certificate: chain, privateKey: one.key });
        const dressed = `\n# of one\nsubject=CN = one\n${chain.replaceAll("\n", "\r\n")}\r\n\r\n`;
        expect(tls.parse({ certificate: dressed, privateKey: `  ${one.key.replaceAll("\n", "\r\n")}` })).toEqual(plain);
        expect(tls.parse(undefined)).toBeUndefined();
    });

    it("is refused in words that name the fix and show nothing of it", () => {
        const locked = execFileSync("openssl", ["pkey", "-aes256", "-passout", "pass:word", "-in", one.keyFile], { encoding: "utf8" });
        const cases: readonly (readonly [value: unknown, words: string])[] = [
            [{ certificate: one.cert }, "privateKey: write privateKey as PEM"],
            [{ ...written, privateKey: "secret" }, "privateKey: write privateKey as PEM"],
            [{ ...written, privateKey: locked }, "privateKey: write the key without a passphrase"],
            [{ ...written, privateKey: two.key }, "privateKey: this key is of another certificate"],
            [{ ...written, certificate: "/etc/ssl/cert.pem" }, "certificate: write certificate as PEM"],
            [{ ...written, certificate: one.cert.replace(/^M.*$/m, "AAAA") }, "certificate: write certificate as PEM"],
            [{ ...written, clientCa: one.key }, "clientCa: write clientCa as PEM"],
            ["yes", ": write tls as { certificate, privateKey, clientCa }"],
        ];
        for (const [value, words] of cases) {
            expect(wordsOf(value)).toContain(words);
            expect(wordsOf(value)).not.toMatch(/secret|MII|AAAA/);
        }
        expect(wordsOf({ ...written, clientCa: two.cert })).toBe("accepted");
    });

    it("has the same terms when it is renewed", () => {
        const renewed = makeCertificate(temporaryDirectory(), "one");
        const [own, again, other] = [written, { certificate: renewed.cert, privateKey: renewed.key }, { ...written, clientCa: two.cert }];
        expect(tlsTerms(again)).toBe(tlsTerms(own));
        expect(tlsTerms(other)).not.toBe(tlsTerms(own));
        expect(tlsTerms({ certificate: two.cert, privateKey: two.key })).not.toBe(tlsTerms(own));
        expect([isForAddress(own, "127.0.0.1"), isForAddress(own, "10.0.0.11")]).toEqual([true, false]);
    });
});
