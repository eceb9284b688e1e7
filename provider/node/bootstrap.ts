import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { ROOT, RUNTIMES } from "../../protocol/layout.ts";
import { diskFull, failedStep } from "./bootstrap-failures.ts";
import type { Connection } from "./connection.ts";
import { lockMachine } from "./machine-lock.ts";
import { agentDirectory, type ProbeReport, VERSION_COMMENT } from "./probe.ts";
import type { Release } from "./release.ts";
import { unmetRequirement } from "./requirements.ts";
import { rootCommand, type Script } from "./root-command.ts";
import type { Work } from "./shared-work.ts";
import { type Packed, type Upload, upload } from "./upload.ts";

const INSTALL_MS = 120_000;
const MIB = 1024 * 1024;
/** The agent's store, units and logs need some room as well. */
const FREE_MARGIN_BYTES = 32 * MIB;

/** Puts this package's agent on a machine and starts it; what is there already is used. One at a time a machine. */
export const bootstrap = async (connection: Connection, report: ProbeReport, release: Release, work: Work): Promise<void> => {
    const node = connection.target.alias;
    const unmet = unmetRequirement(report, node);
    if (unmet) throw unmet;
    const uploads = await filesFor(release, report, node, work);
    const lock = await lockMachine(connection, uploads, work);
    try {
        const missing = uploads.filter(({ path }) => !lock.present.includes(path));
        const isDoneByAnother = lock.waited && missing.length === 0 && agentDirectory(lock.current) === agentDirectoryOf(uploads);
        if (isDoneByAnother) return;
        refuseWithoutRoom(missing, lock.begunBytes, report, node);
        for (const file of missing) {
            await upload(connection, file, work);
            lock.assertHeld();
        }
        await install(connection, `${agentDirectoryOf(uploads)}/zeroform-agent`, work);
    } finally {
        await lock.release();
    }
};

const filesFor = async (release: Release, report: ProbeReport, node: string, work: Work): Promise<Upload[]> => {
    const [runtime, agent] = [await release.runtime(report, node, work), await release.agent()];
    const runtimePath = `${RUNTIMES}/${runtime.sha256}/bun`;
    const agentPath = `${agentDirectory(agent.sha256)}/agent.js`;
    const launcher = Buffer.from(`#!/bin/sh\n${VERSION_COMMENT}${release.version}\nexec ${runtimePath} ${agentPath} "$@"\n`);
    const fromFile = (artifact: typeof runtime) => async (): Promise<Packed> => {
        const { path, bytes } = await release.compressed(artifact);
        const file = await open(path);
        const read = async (at: number, length: number) => {
            const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
            return buffer.subarray(0, bytesRead);
        };
        return { bytes, read, close: () => file.close() };
    };
    const forget = (artifact: typeof runtime) => () => release.forgetCompressed(artifact);
    const small = gzipSync(launcher);
    return [
        { ...runtime, what: "runtime", path: runtimePath, mode: "0755", packed: fromFile(runtime), forget: forget(runtime) },
        { ...agent, what: "agent", path: agentPath, mode: "0644", packed: fromFile(agent), forget: forget(agent) },
        // Last: where it lies, the others do.
        {
            what: "launcher",
            path: `${agentDirectory(agent.sha256)}/zeroform-agent`,
            sha256: createHash("sha256").update(launcher).digest("hex"),
            mode: "0755",
            bytes: launcher.length,
            packed: async () => ({
                bytes: small.length,
                read: async (at, length) => small.subarray(at, at + length),
                close: async () => undefined,
            }),
            forget: async () => undefined,
        },
    ];
};

const agentDirectoryOf = (uploads: readonly Upload[]): string => (uploads.at(-1)?.path ?? "").replace(/\/zeroform-agent$/, "");

/** Of a runtime, packed: 51 of 96 MiB. */
const PACKED_SHARE = 0.6;

const refuseWithoutRoom = (missing: readonly Upload[], begunBytes: number, { freeBytes }: ProbeReport, node: string) => {
    const sizes = missing.map(({ bytes }) => bytes);
    // Each file lies there packed as well until it is unpacked.
    const needed = sizes.reduce((sum, bytes) => sum + bytes, FREE_MARGIN_BYTES + Math.max(0, ...sizes) * PACKED_SHARE) - begunBytes;
    if (missing.length === 0 || freeBytes === undefined || freeBytes >= needed) return;
    throw diskFull(node, `has ${Math.floor(freeBytes / MIB)} MiB free for ${ROOT}, and the agent needs ${Math.ceil(needed / MIB)} MiB`);
};

const INSTALL: Script = 'exec "$1" install';

const install = async (connection: Connection, launcher: string, work: Work): Promise<void> => {
    const node = connection.target.alias;
    work.progress(`installing the agent on ${node}`);
    const ended = await connection.run(rootCommand(connection.target, INSTALL, [launcher]), {
        signal: work.signal,
        timeoutMs: INSTALL_MS,
        doing: "installing the agent",
        onStderrLine: (line) => {
            if (line.trim() !== "") work.progress(line.trim());
        },
    });
    if (ended.code !== 0) throw failedStep(node, "installing the agent", ended);
};
