import { Readable } from "node:stream";
import { type Headers, pack } from "tar-stream";
import { expect, test } from "vitest";
import type { Request } from "./api.ts";
import { exportArchive, importArchive } from "./archive.ts";
import { type ObjectInfo, StoreError } from "./object-api.ts";
import { until } from "./until.ts";

/** What a client does for an archive, over a map. */
class Objects {
    readonly kept = new Map<string, Buffer>();
    refused = "";

    async put(name: string, content: AsyncIterable<Uint8Array>): Promise<ObjectInfo> {
        const parts: Uint8Array[] = [];
        for await (const part of content) parts.push(part);
        if (name === this.refused) throw new StoreError("no-room", "no backend can take the shards");
        this.kept.set(name, Buffer.concat(parts));
        return this.info(name);
    }

    async call(request: Request): Promise<unknown> {
        if (request.op !== "list") throw new Error(`${request.op} is not asked for`);
        const { prefix, after = "", limit } = request;
        const names = [...this.kept.keys()].sort().filter((name) => name.startsWith(prefix) && name > after);
        return names.slice(0, limit).map((name) => this.info(name));
    }

    async read({ name }: { readonly name: string }) {
        const bytes = this.kept.get(name) ?? Buffer.alloc(0);
        const parts = async function* () {
            for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
        };
        return { info: this.info(name), bytes: parts() };
    }

    private info(name: string): ObjectInfo {
        return { name, generation: 1, sizeBytes: this.kept.get(name)?.length ?? 0, createdMs: 0, removed: false };
    }
}

const archiveOf = async (
    entries: readonly (Partial<Headers> & { readonly name: string; readonly content?: string })[],
): Promise<Buffer> => {
    const archive = pack();
    for (const { content, ...header } of entries) archive.entry(header, content ?? "");
    archive.finalize();
    const parts: Buffer[] = [];
    for await (const part of archive) parts.push(part as Buffer);
    return Buffer.concat(parts);
};

const said: string[] = [];
const store = (objects: Objects, prefix: string, archive: Buffer) =>
    importArchive(objects, prefix, Readable.from([archive]), (line) => said.push(line));

test("files of an archive become objects by their paths, and an archive again", async () => {
    const long = `${"deep/".repeat(60)}file`;
    const files = Array.from({ length: 1100 }, (_, index) => ({ name: `./many/${String(index).padStart(4, "0")}`, content: `${index}` }));
    const archive = await archiveOf([
        { name: "./", type: "directory" },
        { name: "./docs/a.md", content: "a" },
        { name: "/etc/empty", content: "" },
        { name: `./${long}`, content: "x".repeat(5000) },
        { name: "./docs/link", type: "symlink", linkname: "a.md" },
        ...files,
    ]);
    const objects = new Objects();
    expect(await store(objects, "backup/", archive)).toEqual({ objects: 1103, bytes: 5001 + 3290, leftOut: 1 });
    expect(said).toEqual(["left out ./docs/link, which is no file but a symlink"]);
    expect(objects.kept.get("backup/docs/a.md")?.toString()).toBe("a");
    expect(objects.kept.get("backup/etc/empty")?.length).toBe(0);
    expect(objects.kept.get(`backup/${long}`)?.length).toBe(5000);

    const parts: Buffer[] = [];
    await exportArchive(objects, "backup/", async (bytes) => void parts.push(bytes));
    const again = new Objects();
    expect(await store(again, "", Buffer.concat(parts))).toMatchObject({ objects: 1103, leftOut: 0 });
    expect(new Map([...again.kept].map(([name, bytes]) => [`backup/${name}`, bytes]))).toEqual(objects.kept);
});

test("what cannot be stored, or breaks off, ends an import; what came before stays", async () => {
    const archive = await archiveOf(["one", "two", "three"].map((name) => ({ name, content: name.repeat(1000) })));
    const objects = new Objects();
    objects.refused = "two";
    await expect(store(objects, "", archive)).rejects.toMatchObject({
        failure: "no-room",
        message: "the archive was stored up to its first 1 files: no backend can take the shards",
    });
    expect([...objects.kept.keys()]).toEqual(["one"]);

    const cut = new Objects();
    await expect(store(cut, "", archive.subarray(0, 6000))).rejects.toMatchObject({ message: expect.stringContaining("first 1 files") });
    expect([...cut.kept.keys()]).toEqual(["one"]);
    await expect(store(cut, "", Buffer.from("no archive at all, but a text".repeat(100)))).rejects.toBeInstanceOf(StoreError);
});

test("an export ends with the failure of whoever takes it, or of an object", async () => {
    const objects = new Objects();
    objects.kept.set("a", Buffer.alloc(500_000));
    await expect(exportArchive(objects, "", () => Promise.reject(new Error("the pipe is gone")))).rejects.toThrow("the pipe is gone");
    objects.read = () => Promise.reject(new StoreError("lost", "too few shards"));
    await expect(exportArchive(objects, "", async () => undefined)).rejects.toMatchObject({ failure: "lost" });
});

test("content ends with its mark, however it is cut into parts, or is none", async () => {
    const contentOf = async (text: string, size: number): Promise<string> => {
        const parts = Array.from({ length: Math.ceil(text.length / size) }, (_, at) => Buffer.from(text.slice(at * size, (at + 1) * size)));
        const kept: Buffer[] = [];
        for await (const part of until("<mark>", Readable.from(parts))) kept.push(Buffer.from(part));
        return Buffer.concat(kept).toString();
    };
    for (const size of [1, 2, 5, 7, 100]) {
        expect(await contentOf("content with a <mark> in it<mark>", size)).toBe("content with a <mark> in it");
        expect(await contentOf("<mark>", size)).toBe("");
        for (const broken of ["", "content", "content<mark", "<mark>content"])
            await expect(contentOf(broken, size)).rejects.toMatchObject({ failure: "stopped" });
    }
});
