import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import type { Orders } from "../../test/zstor/killed.ts";
import { SeededRandom } from "../../test/zstor/random.ts";
import { startZdb } from "../../test/zstor/zdb-servers.ts";
import { FAILPOINTS, type Failpoint } from "./failpoint.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const seed = Number(process.env.ZEROFORM_SEED ?? 1);
/** So many of them, others with another seed; `npm run faults:zstor` kills at every one. */
const count = Number(process.env.ZEROFORM_ZSTOR_FAILPOINTS ?? 5);
const DATA = ["d0", "d1", "d2", "d3"];
const METADATA = ["m0", "m1", "m2", "m3"];

/** Runs the engine until it ends, or is ended; gives the lines that it said. */
async function run(file: string, orders: Orders): Promise<{ readonly how: string; readonly lines: string[][]; readonly error: string }> {
    writeFileSync(file, JSON.stringify(orders), { mode: 0o600 });
    const child = spawn(join(ROOT, "node_modules/.bin/bun"), [join(ROOT, "test/zstor/killed.ts"), file], {
        stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let error = "";
    child.stdout.on("data", (bytes: Buffer) => {
        out += bytes.toString();
    });
    child.stderr.on("data", (bytes: Buffer) => {
        error += bytes.toString();
    });
    const how = await new Promise<string>((resolve) => child.on("close", (code, signal) => resolve(String(signal ?? code))));
    return { how, lines: out.split("\n").map((line) => line.split("\t")), error };
}

test("killed at any step, everything that was acknowledged is there and no garbage stays", { timeout: 600_000 }, async () => {
    const random = new SeededRandom(seed);
    const points: (Failpoint | undefined)[] = [...FAILPOINTS].sort(() => random.fraction() - 0.5).slice(0, count);
    const root = temporaryDirectory();
    const server = await startZdb(join(root, "zdb"), [...DATA, ...METADATA]);
    const known = new Map<string, string[]>();
    for (const failpoint of [...points, undefined]) {
        const orders: Orders = {
            view: join(root, "view"),
            metadata: METADATA.map((name) => server.url(name)),
            data: DATA.map((name) => server.url(name)),
            failpoint,
            times: failpoint?.startsWith("journal:") || failpoint?.startsWith("replica:") ? 1 + random.below(20) : 1,
            seed: random.u32(),
            known: Object.fromEntries(known),
        };
        const { how, lines, error } = await run(join(root, "orders"), orders);
        const told = `seed ${seed}, ${failpoint ?? "nothing"}: ${error}`;
        for (const [what, name = "", spec = ""] of lines) {
            if (what === "is" || what === "did") known.set(name, [spec]);
            if (what === "begins") known.set(name, [...(known.get(name) ?? ["nothing"]), spec]);
        }
        // Killed exactly there, whatever it was that it did.
        expect(how, told).toBe(failpoint === undefined ? "0" : "SIGKILL");
        if (!failpoint?.startsWith("takeover:"))
            expect(
                lines.map(([what]) => what),
                told,
            ).toContain("verified");
    }
});
