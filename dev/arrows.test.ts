import { describe, expect, test } from "vitest";
import { violations } from "./arrows.ts";

const importing = (path: string, specifier: string) => violations([{ path, text: `import { x } from "${specifier}";\nx();\n` }]);

describe("arrows between rooms", () => {
    test.each([
        ["schema/zdb.ts", "./primitive.ts"],
        ["protocol/api.ts", "../schema/zdb.ts"],
        ["sdk/zdb.ts", "../schema/zdb.ts"],
        ["provider/lifecycle/diff.ts", "../../protocol/errors.ts"],
        ["agent/primitives/zdb.ts", "../os/systemd.ts"],
        ["agent/main.ts", "../engines/zdb/main.ts"],
        ["engines/zstor/write.ts", "../zdb/index.ts"],
        ["engines/zdb/log/record.ts", "../checksum.ts"],
        ["cli/status.ts", "../provider/node/pool.ts"],
        ["cli/dev.ts", "../dev/hosts/index.ts"],
        ["test/e2e/lives.test.ts", "../../agent/store/open.ts"],
        ["agent/store/open.test.ts", "../../provider/index.ts"],
        ["bench/agent.ts", "../agent/store/open.ts"],
        ["agent/os/processes.ts", "node:child_process"],
        ["provider/dynamic/ancestry.ts", "node:child_process"],
        ["agent/os/store.ts", "bun:sqlite"],
        ["engines/zdb/seam.ts", "bun:ffi"],
        ["engines/zdb/seam/listen.ts", "bun"],
        ["provider/dynamic/load.ts", "@pulumi/pulumi"],
        ["sdk/zdb.ts", "@pulumi/pulumi"],
    ])("%s may import %s", (path, specifier) => expect(importing(path, specifier)).toEqual([]));

    test.each([
        ["schema/zdb.ts", "../protocol/api.ts", "schema/zdb.ts:1 imports protocol/api.ts, but may import from schema only."],
        [
            "sdk/zdb.ts",
            "../provider/index.ts",
            "sdk/zdb.ts:1 imports provider/index.ts, but may import from sdk, schema and protocol only.",
        ],
        ["agent/api/server.ts", "../../provider/node/pool.ts", "may import from agent, protocol and schema only."],
        ["agent/primitives/zdb.ts", "../../engines/zdb/main.ts", "may import from agent, protocol and schema only."],
        ["agent/main.ts", "../engines/zdb/log/record.ts", "may import from agent, protocol, schema and engines' entry files only."],
        ["engines/zstor/write.ts", "../zdb/log/record.ts", "may import from engines/zstor and other engines' entry files only."],
        ["engines/zdb/main.ts", "../../schema/zdb.ts", "imports schema/zdb.ts"],
        ["cli/status.ts", "../provider/dynamic/provider.ts", "imports provider/dynamic/provider.ts"],
        [
            "agent/store/open.ts",
            "node:child_process",
            "imports node:child_process, which is for agent/os, an engine's seam, provider/dynamic, provider/node/npm-tarball.ts and provider/node/proxy-command.ts only.",
        ],
        ["engines/zdb/server.ts", "bun:ffi", "imports bun:ffi, which is for agent/os and an engine's seam only."],
        ["provider/lifecycle/diff.ts", "@pulumi/pulumi", "imports @pulumi/pulumi, which is for provider/dynamic and sdk only."],
    ])("%s may not import %s", (path, specifier, words) => expect(importing(path, specifier).join("\n")).toContain(words));

    test.each([
        ['export * from "../provider/index.ts";'],
        ['const late = await import("../provider/index.ts");'],
        ['const old = require("../provider/index.ts");'],
        ['type Far = import("../provider/index.ts").Far;'],
        ['import type { Far } from "../provider/index.ts";'],
    ])("sees %s", (text) => expect(violations([{ path: "schema/x.ts", text }])).toHaveLength(1));

    test("sees the global Bun, with its line, and not in comments or strings", () => {
        const text = '// Bun.listen is fast\nconst words = "Bun.listen";\nBun.listen({});\n';
        expect(violations([{ path: "agent/api/server.ts", text }])).toEqual([
            "agent/api/server.ts:3 uses Bun, which is for agent/os and an engine's seam only.",
        ]);
        expect(violations([{ path: "agent/os/sockets.ts", text }])).toEqual([]);
    });
});
