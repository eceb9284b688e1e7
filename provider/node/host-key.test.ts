import ssh2 from "ssh2";
import { describe, expect, it } from "vitest";
import type { Reach } from "../../schema/on-node.ts";
import { hostKeyAlgorithms, judgeHostKey } from "./host-key.ts";
import { fingerprint } from "./known-hosts.ts";
import { resolveTarget } from "./target.ts";

const target = resolveTarget({ host: "10.0.0.1", port: 2222 } as Reach, { HOME: "/nonexistent" });
const ecdsa = () => ssh2.utils.generateKeyPairSync("ecdsa", { bits: 256 }).public.split(" ", 2).join(" ");
const [ours, theirs] = [ecdsa(), ecdsa()];
const ed25519 = ssh2.utils.generateKeyPairSync("ed25519").public.split(" ", 2).join(" ");
const knownIn = (key: string, revoked = false) => ({
    key,
    marker: revoked ? ("@revoked" as const) : undefined,
    file: "/home/u/.ssh/known_hosts",
});

describe("a presented host key", () => {
    it("is trusted when it is pinned, known, or met for the first time", () => {
        expect(judgeHostKey(ours, { pinned: ours, known: [] }, target)).toBeUndefined();
        expect(judgeHostKey(ours, { pinned: undefined, known: [knownIn(theirs), knownIn(ours)] }, target)).toBeUndefined();
        expect(judgeHostKey(ours, { pinned: undefined, known: [] }, target)).toBeUndefined();
    });

    it("is refused when another is pinned, whatever known_hosts says, with the way to accept it", () => {
        const refusal = judgeHostKey(theirs, { pinned: ours, known: [knownIn(theirs)] }, target);
        expect(refusal).toMatchObject({ code: "SSH_HOST_KEY", retryable: false, node: "10.0.0.1" });
        for (const words of [fingerprint(ours), fingerprint(theirs), `hostKey to "${theirs}"`, "change the Node's machine"])
            expect(refusal?.sentence()).toContain(words);
        expect(refusal?.sentence()).not.toContain("ssh-keygen");
    });

    it("is refused when known_hosts has others, with the line that forgets them", () => {
        const refusal = judgeHostKey(theirs, { pinned: undefined, known: [knownIn(ed25519), knownIn(ours)] }, target);
        expect(refusal?.code).toBe("SSH_HOST_KEY");
        for (const words of [fingerprint(ours), fingerprint(theirs), 'ssh-keygen -R "[10.0.0.1]:2222" -f "/home/u/.ssh/known_hosts"'])
            expect(refusal?.sentence()).toContain(words);
    });

    it("is refused at first contact where ssh's configuration says so, and no more when it is known", () => {
        const strict = { ...target, trustsKnownOnly: true };
        const refusal = judgeHostKey(ours, { pinned: undefined, known: [] }, strict);
        expect(refusal).toMatchObject({ code: "SSH_HOST_KEY", retryable: false });
        for (const words of [fingerprint(ours), "StrictHostKeyChecking yes", `set the Node's hostKey to "${ours}"`])
            expect(refusal?.sentence()).toContain(words);
        expect(judgeHostKey(ours, { pinned: undefined, known: [] }, { ...strict, isHop: true })?.hint).toContain("that entry of via");
        for (const trust of [
            { pinned: ours, known: [] },
            { pinned: undefined, known: [knownIn(ours)] },
            { pinned: undefined, known: [], vouched: ours },
        ])
            expect(judgeHostKey(ours, trust, strict)).toBeUndefined();
    });

    it("is refused when it is revoked", () => {
        const refusal = judgeHostKey(ours, { pinned: undefined, known: [knownIn(ours), knownIn(ours, true)] }, target);
        expect(refusal?.message).toContain("revoked");
    });
});

describe("the algorithms of a handshake", () => {
    it("start with the types of which a key is known", () => {
        expect(hostKeyAlgorithms({ pinned: ours, known: [knownIn(ed25519)] })[0]).toBe("ecdsa-sha2-nistp256");
        expect(hostKeyAlgorithms({ pinned: undefined, known: [knownIn("ssh-rsa AAAA")] }).slice(0, 3)).toEqual([
            "rsa-sha2-512",
            "rsa-sha2-256",
            "ssh-rsa",
        ]);
        expect(hostKeyAlgorithms({ pinned: undefined, known: [] })[0]).toBe("ssh-ed25519");
    });
});
