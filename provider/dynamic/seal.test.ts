import { expect, it } from "vitest";
import { checked } from "../lifecycle/sample.ts";
import { seal } from "./seal.ts";

const secret = (value: unknown) => ({ "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", value });

it("marks secret inputs and outputs, and nothing else", () => {
    const { password, ...rest } = seal("Zdb", { ...checked("Zdb"), host: "10.0.0.11", url: "redis://x" });
    expect(password).toEqual(secret("given-password"));
    expect(rest).toEqual({ ...checked("Zdb"), password: undefined, host: "10.0.0.11", url: secret("redis://x") });
});

it("marks the key in a connection: in an input the key alone, as the program's inputs have it, in an output the whole", () => {
    const connection = { host: "10.0.0.11", privateKey: "key" };
    expect(seal("ZMount", { connection })).toEqual({ connection: { host: "10.0.0.11", privateKey: secret("key") } });
    expect(seal("Node", { connection, privateKey: "key" })).toEqual({ connection: secret(connection), privateKey: secret("key") });
    expect(seal("Node", { connection: { host: "10.0.0.11" } })).toEqual({ connection: { host: "10.0.0.11" } });
});

it("marks jump hosts as a whole where they hold a key or a passphrase, as the engine does with lists", () => {
    const via = [{ host: "a" }, { host: "b", privateKey: "key", passphrase: "words" }];
    expect(seal("Node", { via, passphrase: "own" })).toEqual({ via: secret(via), passphrase: secret("own") });
    expect(seal("Node", { via: [{ host: "a" }] })).toEqual({ via: [{ host: "a" }] });
    expect(seal("ZMount", { connection: { host: "c", passphrase: "own", via } })).toEqual({
        connection: { host: "c", passphrase: secret("own"), via: secret(via) },
    });
    const connection = { host: "c", proxy: { host: "b", privateKeyPassword: "words" } };
    expect(seal("Node", { connection })).toEqual({ connection: secret(connection) });
});
