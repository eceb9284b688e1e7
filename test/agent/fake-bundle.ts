import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { PROTOCOLS_UNDERSTOOD, VERSION } from "../../protocol/version.ts";

export interface FakeAgent {
    readonly version?: string;
    readonly protocols?: readonly number[];
    readonly manners?: "good" | "does not install";
    /** Makes the content, and so the content hash, another one. */
    readonly build?: number;
}

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** A bundle of the fake agent, in a directory of the test's. */
export const bundleFakeAgent = async (directory: string, agent: FakeAgent = {}): Promise<string> => {
    const { version = VERSION, protocols = PROTOCOLS_UNDERSTOOD, manners = "good", build = 1 } = agent;
    const file = join(directory, `agent-${version}-${protocols.join("-")}-${manners.replaceAll(" ", "-")}-${build}.js`);
    const values = { FAKE_VERSION: version, FAKE_PROTOCOLS: protocols, FAKE_MANNERS: manners, FAKE_BUILD: build };
    const defines = Object.entries(values).flatMap(([name, value]) => ["--define", `${name}=${JSON.stringify(value)}`]);
    const source = fileURLToPath(new URL("./fake-agent.ts", import.meta.url));
    const bun = join(repository, "node_modules", ".bin", "bun");
    await promisify(execFile)(bun, ["build", source, "--target=bun", `--outfile=${file}`, ...defines]);
    return file;
};
