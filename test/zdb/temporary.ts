import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { onTestFinished } from "vitest";

/** A directory that is gone when the test is, however it ended. */
export function temporaryDirectory(): string {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "zdb-test-"));
    onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
    return directory;
}
