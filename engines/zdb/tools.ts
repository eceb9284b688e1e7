import * as fs from "node:fs";
import { errorCode, nodeDisk } from "./disk.ts";
import { lockForReading, lockForWriting, lockOriginal } from "./seam-lock.ts";
import { runTool, type Tool, type ToolWorld } from "./tool.ts";
import { CHECK } from "./tool-check.ts";
import { DUMP } from "./tool-dump.ts";
import { IMPORT } from "./tool-import.ts";
import { REPAIR } from "./tool-repair.ts";

/** The programs beside the server. */
const TOOLS: Readonly<Record<string, Tool>> = { check: CHECK, repair: REPAIR, dump: DUMP, import: IMPORT };

/** Runs the tool that the first argument names; undefined when it names none. */
export function runNamedTool([name = "", ...argv]: readonly string[]): Promise<number> | undefined {
    const tool = Object.hasOwn(TOOLS, name) ? TOOLS[name] : undefined;
    return tool && runTool(name, tool, argv, systemWorld());
}

function systemWorld(): ToolWorld {
    let shown = 0;
    const progress = (text: string): void => {
        if (!process.stderr.isTTY || (text === "" && shown === 0)) return;
        process.stderr.write(`\r${text.padEnd(shown)}${text === "" ? "\r" : ""}`);
        shown = text.length;
    };
    return {
        disk: nodeDisk,
        lockForReading,
        lockForWriting,
        lockOriginal,
        progress,
        out: (text) => writeOut(Buffer.from(text)),
        say: (line) => {
            progress("");
            process.stderr.write(`${line}\n`);
        },
    };
}

/** At once, so that a long result takes no memory while its reader is slow, and nothing is lost when the process ends after it. */
function writeOut(bytes: Buffer): void {
    for (let done = 0; done < bytes.length; ) {
        try {
            done += fs.writeSync(process.stdout.fd, bytes, done);
        } catch (error) {
            if (errorCode(error) !== "EAGAIN") throw error;
            Atomics.wait(pause, 0, 0, 1);
        }
    }
}

const pause = new Int32Array(new SharedArrayBuffer(4));
