import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { startFrontEnd } from "../../test/zstor/front-end.ts";
import { PASSWORD, startZdb } from "../../test/zstor/zdb-servers.ts";
import { findStoreRecords } from "./bootstrap.ts";
import { StoreKeys } from "./keys.ts";
import { CACHE_LEAST_BYTES } from "./limits.ts";
import { systemClock } from "./surroundings.ts";
import { zdbBackend } from "./zdb-backend.ts";

const SECRET = "a secret that nobody else knows";
const SECRET_BEFORE = "a secret that nobody else knew";
const NAME = "a name that tells much";
const SENTENCE = "what stands in this object is for nobody else. ";
const DATA = ["d0", "d1", "d2", "d3", "d4", "d5"];
const METADATA = ["m0", "m1", "m2"];
const PATIENCE_MS = 300_000;

test("what must stay secret is in nothing that a front end and servers write, say or are started with, and others may read none of it", {
    timeout: PATIENCE_MS,
}, async () => {
    const root = temporaryDirectory();
    const server = await startZdb(join(root, "zdb"), [...DATA, ...METADATA]);
    const directory = join(root, "front");
    mkdirSync(directory, { mode: 0o700 });
    const metadata = METADATA.map((name) => server.url(name));
    const places = {
        metadata,
        backends: DATA.map((name) => ({ url: server.url(name), group: name, disk: name })),
        cache: { directory: join(directory, "cache"), sizeBytes: CACHE_LEAST_BYTES },
    };
    const noise = randomBytes(600_000);
    const first = await startFrontEnd(directory, { ...places, secret: SECRET_BEFORE });
    expect(await first.run(["put", `${NAME}/text`], Buffer.from(SENTENCE.repeat(20_000)))).toMatchObject({ code: 0 });
    expect(await first.run(["put", `${NAME}/noise`], noise)).toMatchObject({ code: 0 });
    expect(await first.kill("SIGTERM")).toBe(0);
    // The secret is changed, and everything that is kept up by itself is done once.
    const front = await startFrontEnd(directory, { ...places, secret: SECRET, previousSecrets: [SECRET_BEFORE] });
    for (const words of [
        ["get", `${NAME}/text`],
        ["get", `${NAME}/noise`],
        ["rm", `${NAME}/text`],
        ["get", `${NAME}/absent`],
    ])
        await front.run(words);
    for (const words of [["repair"], ["scrub"], ["repack"], ["rotate-wrapping"], ["status"]])
        expect(await front.run(words)).toMatchObject({ code: 0 });

    const secrets = new Map<string, Buffer>([
        ["the secret", Buffer.from(SECRET)],
        ["the secret before", Buffer.from(SECRET_BEFORE)],
        ["the password", Buffer.from(PASSWORD)],
        ["the password in a url", Buffer.from(encodeURIComponent(PASSWORD))],
        ["the text", Buffer.from(SENTENCE)],
        ["the noise", noise.subarray(300_000, 300_032)],
        ...(await storeKeysOf(metadata)),
    ]);
    const name = new Map([["the name", Buffer.from(NAME)]]);
    const everything = new Map([...secrets, ...name]);

    for (const { pid } of [front, server.process])
        for (const what of ["cmdline", "environ"])
            expect([what, foundIn(readFileSync(`/proc/${pid}/${what}`), everything)]).toEqual([what, []]);
    const said = Buffer.from([...first.lines, ...front.lines, ...server.process.lines].join("\n"));
    expect(said.includes("ready")).toBe(true);
    expect(foundIn(said, everything)).toEqual([]);

    // As they fall, so that nothing changes any more and nothing is tidied up before it is seen.
    for (const { kill } of [front, server.process]) await kill("SIGKILL");
    // What is given to a front end or a server to know it by is in one file of each, which others cannot read.
    const given = [join(directory, "config.json"), join(root, "zdb", "seal-key")];
    const files = filesBelow(root);
    for (const path of files) {
        // Names stand in the view, which is the front end's own.
        const hidden = path.startsWith(join(directory, "view")) ? secrets : everything;
        if (!given.includes(path)) expect([path, foundIn(readFileSync(path), hidden)]).toEqual([path, []]);
    }
    const below = (place: string) => files.filter((path) => path.startsWith(place));
    // There was something to find.
    for (const place of ["view", "cache/c"]) expect(below(join(directory, place))).not.toEqual([]);
    expect(below(join(root, "zdb/data/m0"))).not.toEqual([]);
    expect(foundIn(Buffer.concat(below(join(directory, "view")).map((path) => readFileSync(path))), name)).toEqual(["the name"]);

    for (const path of [...entriesBelow(directory), ...given]) expect([path, statSync(path).mode & 0o077]).toEqual([path, 0]);
    for (const path of entriesBelow(join(root, "zdb/data"))) expect([path, statSync(path).mode & 0o077]).toEqual([path, 0]);
});

/** The store key and one that derives from it, in each form in which it might be written. */
async function storeKeysOf(metadata: readonly string[]): Promise<[string, Buffer][]> {
    const backends = metadata.map((url) => zdbBackend(url, systemClock));
    const [record] = await findStoreRecords(backends, SECRET);
    for (const backend of backends) backend.close();
    if (record === undefined) throw new Error("there is no store record");
    const storeKey = Buffer.from(record.config.storeKey, "base64");
    const keys = new Map([
        ["the store key", storeKey],
        ["the sealing key", record.sealing.key],
        ["a wrapping key", new StoreKeys(storeKey).wrapping(record.config.wrapping)],
    ]);
    return [...keys].flatMap(([name, key]): [string, Buffer][] => [
        [name, key],
        [`${name} in base64`, Buffer.from(key.toString("base64").replace(/=+$/, ""))],
        [`${name} in hex`, Buffer.from(key.toString("hex"))],
    ]);
}

const foundIn = (bytes: Buffer, words: ReadonlyMap<string, Buffer>): string[] =>
    [...words].flatMap(([name, word]) => (bytes.includes(word) ? [name] : []));

const entriesBelow = (directory: string): string[] =>
    readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => join(directory, name));

const filesBelow = (directory: string): string[] => entriesBelow(directory).filter((path) => statSync(path).isFile());
