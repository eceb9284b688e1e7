import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Runtime } from "../../provider/node/runtimes.ts";

/** A runtime that is small, and the npm registry on loopback that has it: for tests with the real npm. */
export interface FakeRegistry extends AsyncDisposable {
    readonly runtime: Runtime;
    readonly url: string;
    /** Requests for the tarball so far. */
    readonly downloads: () => number;
}

export const fakeRegistry = async (directory: string, program: Buffer): Promise<FakeRegistry> => {
    mkdirSync(join(directory, "package", "bin"), { recursive: true });
    writeFileSync(join(directory, "package", "bin", "bun"), program, { mode: 0o755 });
    const name = "@zeroform-test/runtime";
    writeFileSync(join(directory, "package", "package.json"), JSON.stringify({ name, version: "1.0.0" }));
    execFileSync("tar", ["-czf", join(directory, "package.tgz"), "--format=ustar", "-C", directory, "package"]);
    const tarball = readFileSync(join(directory, "package.tgz"));
    const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
    let downloads = 0;
    const server = createServer((request, response) => {
        if (request.url?.endsWith(".tgz")) {
            downloads += 1;
            response.end(tarball);
            return;
        }
        if (decodeURIComponent(request.url ?? "") !== `/${name}`) {
            response.writeHead(404).end("{}");
            return;
        }
        const dist = { tarball: `${url}/package.tgz`, integrity };
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ name, "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": { name, version: "1.0.0", dist } } }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return {
        url,
        downloads: () => downloads,
        runtime: {
            arch: "x86_64",
            package: name,
            version: "1.0.0",
            integrity,
            sha256: createHash("sha256").update(program).digest("hex"),
            bytes: program.length,
        },
        async [Symbol.asyncDispose]() {
            server.closeAllConnections();
            await new Promise((resolve) => server.close(resolve));
        },
    };
};
