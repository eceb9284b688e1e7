import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { formatDurability, parseDurability } from "./durability.ts";
import { formatAddress, formatListen, parseAddress, parseListen } from "./listen-address.ts";
import { ZDB_VERSION } from "./main.ts";
import { parseOptions, type ServerOptions } from "./options.ts";

function options(...argv: string[]): ServerOptions {
    const parsed = parseOptions(argv);
    if (parsed.action !== "serve") throw new Error(parsed.action);
    return parsed.options;
}

test("the version told is the package's", () => {
    const { version } = JSON.parse(fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
    expect(ZDB_VERSION).toBe(version);
});

describe("options", () => {
    test("defaults: loopback, interval 1s, directories of the original", () => {
        expect(options()).toEqual({
            data: "./zdb-data",
            index: "./zdb-index",
            listen: [{ host: "127.0.0.1", port: 9900 }],
            socket: undefined,
            adminSocket: undefined,
            admin: undefined,
            closed: false,
            showAll: false,
            allowStop: false,
            protect: false,
            tls: undefined,
            hook: undefined,
            compacts: true,
            datasize: undefined,
            rotateS: 0,
            scrubBytesPerSecond: 8 * 1024 * 1024,
            eraseAfterHours: 168,
            background: false,
            logfile: undefined,
            verbose: false,
            dump: false,
            mode: undefined,
            durability: { kind: "interval", ms: 1000 },
            maxsize: 0,
            sealKeyFile: undefined,
        });
    });

    test("one dash, an equals sign, repeated and joined addresses", () => {
        const { listen, mode, durability } = options("-port=1", "--listen", "::,10.0.0.1", "--listen", "[::1]:7", "--mode=seq", "--sync");
        expect(listen.map(formatAddress)).toEqual(["[::]:1", "10.0.0.1:1", "[::1]:7"]);
        expect(mode).toBe("seq");
        expect(durability).toEqual({ kind: "commit" });
        expect(options("--synctime", "5").durability).toEqual({ kind: "interval", ms: 5000 });
    });

    test("a unix socket replaces TCP, unless both are asked for", () => {
        expect(options("--socket", "/s").listen).toEqual([]);
        expect(options("--socket", "/s", "--dualnet").listen).toHaveLength(1);
        expect(options("--closed").listen).toEqual([]);
    });

    test("sizes of segments as the original reads them, and what is accepted with a word", () => {
        const sizes = ["524288", "1.5M", "64M", "512k", "3.99G"].map((text) => options("--datasize", text).datasize);
        expect(sizes).toEqual([524_288, 1_572_864, 67_108_864, 524_288, 4_284_229_877]);
        expect(options("--mode", "direct").mode).toBe("seq");
        expect(parseOptions(["--mode", "direct", "--logfile", "l"])).toMatchObject({
            warnings: ["--mode direct is another word for seq", expect.stringContaining("--background only")],
        });
        expect(options("--tls-cert", "c", "--tls-key", "k").tls).toEqual({ cert: "c", key: "k", ca: undefined });
        expect(options("--admin", "x", "--protect", "--secure", "--rotate", "60", "--erase-after", "24", "--hook", "h")).toMatchObject({
            protect: true,
            rotateS: 60,
            eraseAfterHours: 24,
            hook: "h",
            compacts: false,
        });
        expect(options("--hook", "h", "--compact")).toMatchObject({ hook: "h", compacts: true });
    });

    test("help and version", () => {
        expect(parseOptions(["--help"])).toEqual({ action: "help" });
        expect(parseOptions(["--data", "x", "--version"])).toEqual({ action: "version" });
    });

    test.each([
        [["--bogus"], "unknown option --bogus"],
        [["s3cret"], "the first word is no option and no tool (check, repair, import, dump): see"],
        [["--closed", "s3cret"], "word 2 is no option: see"],
        [["--closed=yes"], "option --closed takes no value"],
        [["--data"], "option --data needs a value"],
        [["--data", "x", "--index", "x"], "must be different"],
        [["--port", "0"], "--port must be"],
        [["--port", "70000"], "--port is a whole number"],
        [["--listen", "localhost"], "cannot listen on localhost"],
        [["--mode", "other"], "--mode is user or seq"],
        [["--protect"], "--protect needs a password"],
        [["--tls-cert", "c"], "TLS needs both"],
        [["--tls-ca", "c"], "TLS needs both"],
        [["--datasize", "524287"], "--datasize is 524288 to"],
        [["--datasize", "4G"], "--datasize is 524288 to"],
        [["--datasize", "1m"], "--datasize is 524288 to"],
        [["--rotate", "x"], "--rotate is a whole number"],
        [["--synctime", "x"], "--synctime is a number"],
        [["--admin", ""], "--admin must have"],
        [["--closed", "--port", "1"], "--closed opens no listener"],
        [["--config", "/nowhere"], "cannot read the configuration /nowhere (ENOENT)"],
    ])("%j is refused", (argv, message) => expect(() => parseOptions(argv)).toThrow(message));

    test("a configuration file gives the same options, and the command line wins", () => {
        const file = path.join(temporaryDirectory(), "zdb.json");
        const write = (config: unknown): string => {
            fs.writeFileSync(file, typeof config === "string" ? config : JSON.stringify(config));
            return file;
        };
        const config = { data: "/d", index: "/i", listen: ["10.0.0.1", "10.0.0.2"], port: 7, admin: "secret", sync: true, closed: false };
        const read = options("--config", write(config), "--data", "/other");
        expect(read).toMatchObject({ data: "/other", index: "/i", admin: "secret", durability: { kind: "commit" }, closed: false });
        expect(read.listen.map(formatAddress)).toEqual(["10.0.0.1:7", "10.0.0.2:7"]);
        expect(() => options("--config", write({ bogus: 1 }))).toThrow("unknown option bogus");
        expect(() => options("--config", write("{"))).toThrow("it is not JSON");
        expect(() => options("--config", write([]))).toThrow("must be a JSON object");
        expect(() => options("--config", write({ data: {} }))).toThrow("data in");
    });
});

describe("addresses", () => {
    test.each([
        ["10.0.0.1:9900", "10.0.0.1:9900"],
        ["[::1]:80", "[::1]:80"],
        ["[fe80::1]:65535", "[fe80::1]:65535"],
    ])("%s", (text, formatted) => expect(formatAddress(parseAddress(text) ?? { host: "", port: 0 })).toBe(formatted));

    test.each(["localhost:1", "10.0.0.1", "10.0.0.1:0", "10.0.0.1:65536", "::1:80", "[10.0.0.1]:80", "10.0.0.1:80x", "", ":80", "[::1]"])(
        "%j is none",
        (text) => expect(parseAddress(text)).toBeUndefined(),
    );

    test("a list names each address once; * and nothing are the empty list", () => {
        expect(formatListen(parseListen("10.0.0.1:1, [::1]:2,10.0.0.1:1") ?? [])).toBe("10.0.0.1:1,[::1]:2");
        expect(parseListen("*")).toEqual([]);
        expect(parseListen("")).toEqual([]);
        expect(parseListen("10.0.0.1:1,x")).toBeUndefined();
    });
});

describe("durability", () => {
    test.each(["none", "commit", "interval 1s", "interval 200ms", "interval 3600s"])("%s reads and writes", (text) => {
        const durability = parseDurability(text);
        expect(durability && formatDurability(durability)).toBe(text);
    });
    test.each(["", "interval", "interval 0s", "interval 1", "interval 1m", "interval 5ms", "interval 3601s", "Commit"])(
        "%j is none",
        (text) => expect(parseDurability(text)).toBeUndefined(),
    );
});
