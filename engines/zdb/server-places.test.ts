import * as path from "node:path";
import { expect, test, vi } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { nodeDisk } from "./disk.ts";
import { makeDirectories } from "./server-places.ts";

test("directories that a server makes for itself outlive a power loss, with those above them that it made", () => {
    const root = temporaryDirectory();
    const [data, index] = [path.join(root, "srv", "zdb", "data"), path.join(root, "srv", "zdb", "index")];
    const synced = vi.spyOn(nodeDisk, "syncDirectory");
    makeDirectories({ data, index });
    expect(new Set(synced.mock.calls.map(([directory]) => directory))).toEqual(
        new Set([root, path.join(root, "srv"), path.join(root, "srv", "zdb")]),
    );
    synced.mockClear();
    makeDirectories({ data, index });
    expect(synced).not.toHaveBeenCalled();
});
