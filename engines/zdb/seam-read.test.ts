import { execFile } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { RUNTIME } from "../../test/zdb/server-process.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { UNSUPPORTED, WOULD_WAIT } from "./seam-read.ts";

/** Under Bun, as in production: there the system is asked. */
test("a read that must not wait gives what the file has, or says that it cannot tell", async () => {
    const file = path.join(temporaryDirectory(), "file");
    fs.writeFileSync(file, "0123456789");
    const script = `
        import * as fs from "node:fs";
        import { readNow } from ${JSON.stringify(path.join(import.meta.dirname, "seam-read.ts"))};
        const fd = fs.openSync(${JSON.stringify(file)}, "r");
        const target = Buffer.alloc(8, ".");
        const counts = [readNow(fd, target, 2, 4, 3), readNow(fd, Buffer.alloc(8), 0, 8, 6), readNow(fd, Buffer.alloc(8), 0, 8, 10)];
        fs.closeSync(fd);
        console.log(JSON.stringify({ counts, read: target.toString(), closed: readNow(fd, Buffer.alloc(8), 0, 8, 0) }));`;
    const { stdout } = await promisify(execFile)(RUNTIME, ["-e", script]);
    const { counts, read, closed } = JSON.parse(stdout) as { counts: number[]; read: string; closed: number };
    if (counts[0] === UNSUPPORTED) expect(read).toBe("........");
    else expect([counts, read]).toEqual([[4, 4, 0], "..3456.."]);
    expect(closed).toBe(WOULD_WAIT);
});
