import { chmod, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { files } from "./files.ts";

describe("files", () => {
    let root: string;
    beforeEach(async () => {
        root = await mkdtemp(join(tmpdir(), "zf-files-"));
    });
    afterEach(() => rm(root, { recursive: true, force: true }));

    it("are replaced as a whole, also by several at once, and leave nothing beside them", async () => {
        const path = join(root, "deep/er/file");
        await Promise.all(Array.from({ length: 20 }, (_, index) => files.writeText(path, `text ${index}\n`)));
        expect(await files.readText(path)).toBe("text 19\n");
        expect(await readdir(join(root, "deep/er"))).toEqual(["file"]);
        expect((await stat(path)).mode & 0o777).toBe(0o600);
    });

    it("that are not there are an answer", async () => {
        const path = join(root, "none/such");
        expect(await files.stat(path)).toBeUndefined();
        expect(await files.readText(path)).toBeUndefined();
        expect(await files.list(path)).toEqual([]);
        expect(await files.diskUsage(path)).toBe(0);
        await files.remove(path);
    });

    it("that cannot be read are a failure", async () => {
        await expect(files.readText(root)).rejects.toThrow("EISDIR");
    });

    it("move into directories that are not there yet, and get second names", async () => {
        await writeFile(join(root, "a"), "a");
        await files.link(join(root, "a"), join(root, "trash/second"));
        await files.move(join(root, "a"), join(root, "other/b"));
        const [second, moved] = await Promise.all([files.stat(join(root, "trash/second")), files.stat(join(root, "other/b"))]);
        expect(second?.inode).toBe(moved?.inode);
        expect(await files.stat(join(root, "a"))).toBeUndefined();
    });

    it("removed through a link leave what it points to", async () => {
        await writeFile(join(root, "kept"), "kept");
        await symlink(join(root, "kept"), join(root, "link"));
        await files.remove(join(root, "link"));
        expect(await readdir(root)).toEqual(["kept"]);
    });

    it("are counted by the blocks that they take", async () => {
        await files.makeDirectory(join(root, "d/e"));
        await writeFile(join(root, "d/e/f"), Buffer.alloc(100_000));
        expect(await files.diskUsage(join(root, "d"))).toBeGreaterThanOrEqual(100_000);
        await chmod(join(root, "d"), 0o700);
        expect((await files.fileSystem(root)).totalBytes).toBeGreaterThan(0);
    });
});
