import { describe, expect, it } from "vitest";
import { mintLife, mintTenantId } from "../../protocol/ids.ts";
import { makeCertificate } from "../../test/zdb/certificates.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import type { Listener } from "../os/ports.ts";
import type { Context, Resource } from "./driver.ts";
import type { Zdb } from "./zdb-places.ts";
import { admitPort, clash } from "./zdb-ports.ts";

describe("two listeners", () => {
    it.each([
        ["10.0.0.1", "10.0.0.1", true],
        ["10.0.0.1", "10.0.0.2", false],
        ["0.0.0.0", "10.0.0.2", true],
        ["0.0.0.0", "::1", false],
        ["::", "10.0.0.2", true],
        ["::", "::1", true],
        ["::", "0.0.0.0", true],
        ["2001:db8::1", "2001:db8:0:0::1", true],
        ["::1", "::2", false],
    ])("on %s and %s clash: %s", (one, other, does) => {
        expect(clash({ listen: one, port: 9900 }, { listen: other, port: 9900 })).toBe(does);
        expect(clash({ listen: other, port: 9900 }, { listen: one, port: 9900 })).toBe(does);
        expect(clash({ listen: one, port: 9900 }, { listen: other, port: 9901 })).toBe(false);
    });
});

describe("the port of a Zdb", () => {
    const tenant = mintTenantId();
    const zdb = (name: string, listen: string, port?: number, more: Partial<Zdb> = {}): Zdb => ({
        life: mintLife(),
        tenant,
        kind: "Zdb",
        urn: `urn:${name}`,
        name,
        spec: { listen, port } as Zdb["spec"],
        uses: {},
        ...more,
    });
    const context = (resources: readonly Zdb[], listeners: readonly Listener[] = []): Context =>
        ({
            resources: () => resources as unknown as readonly Resource[],
            os: { ports: { listeners: async () => listeners, holder: async () => "nginx (pid 812)", addresses: () => [] } },
        }) as unknown as Context;
    const heard = (address: string, port: number): Listener => ({ address, port, inode: 1 });

    it("is the first free one from 9900 up", async () => {
        const busy = [heard("127.0.0.1", 9900), heard("0.0.0.0", 9901)];
        expect(await admitPort(zdb("a", "127.0.0.1"), undefined, context([], busy))).toBe(9902);
        expect(await admitPort(zdb("a", "10.9.9.9"), undefined, context([], [heard("127.0.0.1", 9900)]))).toBe(9900);
    });

    it("is shared by the namespaces of a server, and by nobody else", async () => {
        const first = zdb("a", "127.0.0.2", 9907);
        const listeners = [heard("127.0.0.2", 9907)];
        expect(await admitPort(zdb("b", "127.0.0.2"), undefined, context([first], listeners))).toBe(9907);
        const stranger = zdb("c", "127.0.0.2", undefined, { tenant: mintTenantId() });
        expect(await admitPort(stranger, undefined, context([{ ...first, spec: { ...first.spec, port: 9900 } }]))).toBe(9901);
    });

    it("stays over an update, also while its own server listens on it", async () => {
        const old = zdb("a", "127.0.0.3", 9911);
        const listeners = [heard("127.0.0.3", 9911)];
        expect(await admitPort({ ...old, spec: { ...old.spec, port: undefined } }, old, context([old], listeners))).toBe(9911);
    });

    it("is refused when another server's resource has it, naming that one", async () => {
        const holder = zdb("events", "0.0.0.0", 9960, { tenant: mintTenantId() });
        await expect(admitPort(zdb("mine", "10.0.0.11", 9960), undefined, context([holder]))).rejects.toMatchObject({
            code: "CONFLICT",
            message: expect.stringContaining(`10.0.0.11:9960 is held by Zdb "events"`),
        });
    });

    it("is refused when a namespace of its own server listens on an address that includes it", async () => {
        const wide = zdb("wide", "0.0.0.0", 9961);
        await expect(admitPort(zdb("narrow", "10.0.0.11", 9961), undefined, context([wide]))).rejects.toThrow(`Zdb "wide"`);
        expect(await admitPort(zdb("narrow", "10.0.0.11"), undefined, context([wide]))).toBe(9900);
    });

    it("is shared over TLS by those whose certificates are for the same names, and is refused to others, naming who has it", async () => {
        const directory = temporaryDirectory();
        const tlsOf = (name: string, clientCa?: string): Zdb["spec"]["tls"] => {
            const { cert, key } = makeCertificate(directory, name);
            return { certificate: cert, privateKey: key, clientCa };
        };
        const speaking = (name: string, port: number | undefined, tls: Zdb["spec"]["tls"]): Zdb => {
            const plain = zdb(name, "10.0.0.11", port);
            return { ...plain, spec: { ...plain.spec, tls } };
        };
        const holder = speaking("events", 9970, tlsOf("one"));
        const admitted = (wanted: Zdb, old?: Zdb) => admitPort(wanted, old, context([holder], [heard("10.0.0.11", 9970)]));
        expect(await admitted(speaking("renewed", 9970, tlsOf("one")))).toBe(9970);
        const apart: readonly (readonly [Zdb["spec"]["tls"], string])[] = [
            [undefined, "speaks TLS there"],
            [tlsOf("two"), "whose certificate there is for other names"],
            [tlsOf("one", "an authority"), "asks clients for other ones"],
        ];
        for (const [tls, words] of apart) {
            await expect(admitted(speaking("other", 9970, tls))).rejects.toMatchObject({
                code: "CONFLICT",
                message: expect.stringMatching(`10.0.0.11:9970 is held by Zdb "events" of the same Node .*${words}`),
            });
            expect(await admitted(speaking("other", undefined, tls))).toBe(9900);
        }
        // It is alone there, and may become what it likes.
        expect(await admitted({ ...holder, spec: { ...holder.spec, tls: undefined } }, holder)).toBe(9970);
    });

    it("is refused when a program that is none of ours has it, naming that", async () => {
        const busy = context([], [heard("::", 9962)]);
        await expect(admitPort(zdb("mine", "10.0.0.11", 9962), undefined, busy)).rejects.toThrow("held by nginx (pid 812)");
    });
});
