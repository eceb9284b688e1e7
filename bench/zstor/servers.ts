import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { RespClient } from "../../test/zdb/resp-client.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const RUNTIME = join(ROOT, "node_modules/.bin/bun");
export const BACKENDS = 7;
const REPLICAS = 4;
const NAMESPACES = ["data", "meta", "bare"] as const;

interface Server {
    process: ChildProcess;
    readonly argv: readonly string[];
    readonly port: number;
    readonly adminSocket: string;
}

/** Seven real Zero-DB servers and a front end, each a process, all on this machine; the first four servers have the metadata too. */
export class Cluster {
    readonly directory = mkdtempSync(join(process.env.ZEROFORM_BENCH_DIR ?? tmpdir(), "bench-zstor-"));
    readonly socket = join(this.directory, "s");
    private readonly servers: Server[] = [];
    private frontEnd: ChildProcess | undefined;
    private readonly secret = randomBytes(16).toString("hex");

    async start(): Promise<void> {
        for (let index = 0; index < BACKENDS; index++) {
            const place = join(this.directory, `zdb${index}`);
            mkdirSync(place);
            const [port, adminSocket] = [await freePort(), join(place, "a")];
            const places = ["--data", join(place, "data"), "--index", join(place, "index")];
            const argv = ["engines/zdb/standalone.ts", ...places, "--port", String(port), "--admin-socket", adminSocket];
            this.servers.push({ process: await start(argv), argv, port, adminSocket });
            const admin = await RespClient.connect({ path: adminSocket });
            for (const name of NAMESPACES) {
                await admin.call("NSNEW", name);
                await admin.call("NSSET", name, "durability", "commit");
            }
            admin.close();
        }
    }

    /** With `deadAfterMs` a backend that is down is repaired around after that time. */
    async startFrontEnd(deadAfterMs = 3_600_000): Promise<void> {
        const config = {
            secret: this.secret,
            socket: this.socket,
            view: join(this.directory, "view"),
            metadata: this.urls("meta").slice(0, REPLICAS),
            backends: this.urls("data").map((url, index) => ({ url, group: `g${index}` })),
            deadAfterMs,
        };
        writeFileSync(join(this.directory, "config"), JSON.stringify(config), { mode: 0o600 });
        this.frontEnd = await start(["engines/zstor/standalone.ts", "serve", "--config", join(this.directory, "config")]);
    }

    async stopFrontEnd(): Promise<void> {
        await ended(this.frontEnd, "SIGTERM");
    }

    urls(namespace: (typeof NAMESPACES)[number]): string[] {
        return this.servers.map(({ port }) => `redis://${namespace}@127.0.0.1:${port}`);
    }

    get frontEndPid(): number {
        return this.frontEnd?.pid ?? 0;
    }

    get serverPids(): number[] {
        return this.servers.flatMap(({ process: { pid, exitCode, signalCode } }) =>
            pid && exitCode === null && signalCode === null ? [pid] : [],
        );
    }

    /** Takes the power from the last servers. */
    async kill(count: number): Promise<void> {
        await Promise.all(this.servers.slice(-count).map((server) => ended(server.process, "SIGKILL")));
    }

    async restart(count: number): Promise<void> {
        for (const server of this.servers.slice(-count)) server.process = await start(server.argv);
    }

    /** What the namespaces of the store hold, metadata replicas counted. */
    async storedBytes(): Promise<number> {
        let sum = 0;
        for (const { adminSocket } of this.servers) {
            const admin = await RespClient.connect({ path: adminSocket });
            for (const name of ["data", "meta"]) {
                const info = String(await admin.call("NSINFO", name));
                sum += Number(/^data_size_bytes: (\d+)/m.exec(info)?.[1] ?? Number.NaN);
            }
            admin.close();
        }
        return sum;
    }

    async stop(): Promise<void> {
        for (const child of [this.frontEnd, ...this.servers.map(({ process }) => process)]) await ended(child, "SIGKILL");
        rmSync(this.directory, { recursive: true, force: true });
    }
}

function start(argv: readonly string[]): Promise<ChildProcess> {
    const [program = "", ...words] = argv;
    const child = spawn(RUNTIME, [join(ROOT, program), ...words], { stdio: ["ignore", "pipe", "inherit"] });
    return new Promise((resolve, reject) => {
        if (child.stdout) createInterface(child.stdout).on("line", (line) => (line === "ready" ? resolve(child) : undefined));
        child.on("close", (code) => reject(new Error(`${program} ended with ${code}`)));
    });
}

async function ended(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const end = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await end;
}

function freePort(): Promise<number> {
    return new Promise((resolve) => {
        const probe = createServer();
        probe.listen(0, "127.0.0.1", () => {
            const address = probe.address();
            probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
        });
    });
}
